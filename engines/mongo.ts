import { mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Environment } from "@parley/platform/config.ts"
import { claimPorts } from "@parley/platform/machine/ports.ts"
import { openInstallation } from "./fetch.ts"
import { type Keeping, keepRunning } from "./keep.ts"
import { startEngine } from "./process.ts"
import { type Report, timed } from "./report.ts"

/** A running server that speaks MongoDB's protocol, on 127.0.0.1. */
export interface Mongo extends AsyncDisposable {
  /** What MONGODB_URL is to be. The same after every restart. */
  readonly url: string
  /** Its process id now. */
  readonly pid: number
  /** SIGKILL; resolves once it is gone. */
  kill(): Promise<void>
  /** SIGSTOP: its sockets stay open and nothing answers, until `thaw`. */
  freeze(): void
  thaw(): void
  /** Ends it where it runs, starts it on its data; resolves once it serves. */
  restart(): Promise<void>
  stop(): Promise<void>
}

export interface MongoOptions {
  /** Kept, and taken up again by the next start. Unset: a folder that goes with the server. */
  dataDir?: string
  /** Unset: any free one below 32768. */
  port?: number
  /** The most memory for what it keeps, in MiB. Unset: 256, enough for some 100,000 documents and their indexes. */
  heap?: number
  environment?: Environment
  report?: Report
  /** It is started again whenever it ends by itself, until it is stopped; unset: it is not. */
  keep?: Keeping
}

const JVM = ["-Xms32m", "-Xss512k", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
/** It logs each refused write as an error, with its stack: those are what tests are about. */
const LOGGING = ["-Dorg.slf4j.simpleLogger.defaultLogLevel=off"]

/**
 * Starts mongo-java-server on a file. The very first time fetches it. Nothing of it outlives this process, not even
 * where that is killed. What it cannot show of MongoDB is in docs/engines.md.
 * @throws Error in one sentence where Java is missing or the server cannot be fetched, and with its log where it does
 * not start
 */
export async function startMongo(options: MongoOptions = {}): Promise<Mongo> {
  const { dataDir, heap = 256, environment = process.env, report = () => {} } = options
  const { java, classPath } = await openInstallation(environment, report)
  const scratch = dataDir ? undefined : mkdtempSync(join(tmpdir(), "parley-mongo-"))
  const folder = dataDir ?? scratch!
  mkdirSync(folder, { recursive: true })
  const port = options.port ?? claimPorts(1)[0]!
  const file = join(folder, "mongo.mv.db")
  const engine = await timed(
    report,
    "starting the MongoDB-protocol server",
    () =>
      startEngine({
        name: "The MongoDB-protocol server",
        command: [
          ...[java.path, ...JVM, `-Xmx${heap}m`, ...LOGGING],
          ...["-cp", classPath, "MongoMain", file, String(port)],
        ],
        logFile: join(folder, "mongo.log"),
        scratch,
      }),
    () => `, at ${port}`,
  ).then((started) => keepRunning(started, options.keep))
  const stop = async () => {
    await engine.stop()
    if (scratch) rmSync(scratch, { recursive: true, force: true })
  }
  return {
    url: `mongodb://127.0.0.1:${port}/?directConnection=true`,
    get pid() {
      return engine.pid
    },
    kill: engine.kill,
    freeze: engine.freeze,
    thaw: engine.thaw,
    restart: engine.restart,
    stop,
    [Symbol.asyncDispose]: stop,
  }
}
