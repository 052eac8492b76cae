import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { claimPorts } from "../../../platform/machine/ports.ts"
import { LIFTED_LIMITS } from "../../../testing/lifted-limits.ts"
import { startProxy } from "../../../testing/proxy.ts"
import { createClock, type FakeClock, fakeTimeLibrary } from "./clock.ts"
import { httpUrl } from "./loopback.ts"
import { type Kind, type Managed, manage } from "./process.ts"
import type { Wire } from "./system.ts"

export interface SystemOptions {
  /** The run's folder: data and logs go below it. */
  folder: string
  /** The name of a bug to be planted in chat. */
  bug?: string
}

/** A planted bug is a module that the service loads first. */
const PLANT = join(import.meta.dir, "../bugs/plant.ts")

/** What both systems are put together from. */
export class Kit {
  readonly services: Managed[] = []
  readonly clocks = new Map<string, FakeClock>()
  readonly wires: Wire[] = []
  readonly data: string
  private readonly logs: string
  private readonly common: Record<string, string | undefined>

  constructor(
    private readonly options: SystemOptions,
    private readonly engines: string,
  ) {
    this.data = join(options.folder, "data")
    this.logs = join(options.folder, "logs")
    mkdirSync(this.data)
    mkdirSync(this.logs)
    this.common = {
      ...process.env,
      HOST: "127.0.0.1",
      NODE_ENV: "production",
      APOLLO_TELEMETRY_DISABLED: "true",
      LOG_LEVEL: "info",
      LINK_SECRET: Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("base64url"),
      // No browser connects there.
      PUBLIC_URL: "http://localhost:4000",
      MONGODB_URL: undefined,
      KAFKA_BROKERS: undefined,
      // Everyone signs up from this machine.
      SIGNUPS_PER_ADDRESS: "100000",
      GUESSES_PER_ADDRESS: "100000",
      // A few accounts write what many people do; those who attack do more than that.
      ...LIFTED_LIMITS,
      MESSAGES_PER_MINUTE: "1200",
      MARKS_PER_MINUTE: "12000",
      CHANGES_PER_MINUTE: "600",
      GROUPS_PER_DAY: "200",
      STRANGERS_PER_DAY: "2000",
    }
  }

  /** A proxy before a port, as something that can fail; answers its own port. */
  async wire(name: string, target: number, port = 0): Promise<number> {
    const proxy = await startProxy(target, port)
    this.wires.push({ name, proxy })
    return proxy.port
  }

  /** Proxies as `wire` makes them, before as many processes of a kind as there are ports; answers their URLs. */
  async before(kind: Kind, ports: readonly number[]): Promise<string[]> {
    const made = ports.map((port, index) => this.wire(`to ${nameOf(kind, index, ports)}`, port))
    return (await Promise.all(made)).map(httpUrl)
  }

  /** Starts a service on a port, with a clock of its own. */
  start(kind: Kind, name: string, port: number, environment: Record<string, string>): void {
    const clock = createClock(this.data, name, fakeTimeLibrary())
    this.clocks.set(name, clock)
    const { bug } = this.options
    const planted = kind === "chat" && bug !== undefined
    const bugs = planted ? { TORTURE_BUG: bug, TORTURE_ENGINES: this.engines } : {}
    this.services.push(
      manage({
        ...{ kind, name },
        environment: {
          ...this.common,
          ...clock.environment,
          ...bugs,
          PORT: String(port),
          ...environment,
        },
        preload: planted ? [...clock.preload, PLANT] : clock.preload,
        logFile: join(this.logs, `${name}.log`),
      }),
    )
  }

  async stop(): Promise<void> {
    await Promise.all(this.services.map((service) => service.end()))
    for (const { proxy } of this.wires) proxy.stop()
  }
}

/** The only one of its kind has its name. */
export const nameOf = (kind: Kind, index: number, all: readonly unknown[]): string =>
  all.length === 1 ? kind : `${kind}-${index + 1}`

/** More ports than one block has. */
export function claim(count: number): number[] {
  const ports: number[] = []
  while (ports.length < count) ports.push(...claimPorts(Math.min(7, count - ports.length)))
  return ports
}
