import type { TcpProxy } from "../../../testing/proxy.ts"
import type { StoreLine } from "../history/format.ts"
import type { FakeClock } from "./clock.ts"
import type { Disk } from "./disk.ts"
import type { Managed } from "./process.ts"

/** An engine that the nemesis may stop, freeze and start again. */
export interface Engine {
  name: string
  /** SIGKILL, where it may come back on what it had written. */
  kill(): Promise<void>
  freeze(): void
  thaw(): void
  /** Ends it where it runs and starts it again; resolves once it serves. */
  restart(): Promise<void>
}

/** A named stretch of network. */
export interface Wire {
  name: string
  proxy: TcpProxy
}

/** A whole running system, and all that can be done to it. */
export interface System extends AsyncDisposable {
  engines: "embedded" | "cluster"
  /** Where clients reach the gateways. */
  gateways: string[]
  services: Managed[]
  /** Of each service, by its name. */
  clocks: Map<string, FakeClock>
  wires: Wire[]
  broker?: Engine
  store?: Engine
  disk?: Disk
  /** Puts unreadable records on every topic; answers how many. */
  poison?(): Promise<number>
  /** Reads the store itself, past the services. Those may have been stopped. */
  readStore(names: Names): Promise<StoreLine[]>
  stop(): Promise<void>
}

/** Turns a user's id into their name; an unknown id stays what it is. */
export type Names = (id: string) => string
