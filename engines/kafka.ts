import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { rename } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Environment } from "@parley/platform/config.ts"
import { claimPorts } from "@parley/platform/machine/ports.ts"
import { type Installation, lockEngines, openInstallation } from "./fetch.ts"
import { type BrokerProperties, brokerProperties } from "./kafka-properties.ts"
import { type Keeping, keepRunning } from "./keep.ts"
import { type EngineProcess, startEngine } from "./process.ts"
import { type Report, timed } from "./report.ts"

/** A running cluster of real Kafka brokers on 127.0.0.1. Brokers are counted from 0. */
export interface Kafka extends AsyncDisposable {
  /** What KAFKA_BROKERS is to be: `host:port`, separated by commas. The same after every restart. */
  readonly brokers: string
  /** The brokers' process ids now. */
  readonly pids: number[]
  /** SIGKILL; resolves once it is gone. */
  kill(broker?: number): Promise<void>
  /** SIGSTOP: its sockets stay open and nothing answers, until `thaw`. */
  freeze(broker?: number): void
  thaw(broker?: number): void
  /** Ends it where it runs, starts it on its data; resolves once it serves. */
  restart(broker?: number): Promise<void>
  stop(): Promise<void>
}

export interface KafkaOptions {
  /** Kept, and taken up again by the next start with as many brokers. Unset: a folder that goes with the cluster. */
  dataDir?: string
  /** 1 unless given, at most 3. With 3, topics have 3 copies and take a write while 2 are up. */
  brokers?: number
  /** The first broker's; the others have the following ones. Unset: any free ones below 32768. */
  port?: number
  /** Where clients are told to find the first broker, if not at its own port: at a proxy before it. */
  advertisedPort?: number
  environment?: Environment
  report?: Report
  /** Each broker is started again whenever it ends by itself, until the cluster is stopped; unset: it is not. */
  keep?: Keeping
}

/** The same for every cluster: none ever meets another. 16 bytes, as Kafka writes them. */
const CLUSTER_ID = "UGFybGV5UGFybGV5UGFybA"

/** Both of these let a broker start faster and in less memory; it has little to compile and a small heap to clean. */
const JVM = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-Xlog:disable"]
const HEAP = ["-Xms64m", "-Xmx256m"]
const LOGGING = ["-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]

/**
 * Starts Apache Kafka in KRaft mode: one broker, or three that are controllers, too. The very first time fetches it.
 * Nothing of it outlives this process, not even where that is killed.
 * @throws Error in one sentence where Java is missing or Kafka cannot be fetched, and with the broker's log where it
 * does not start
 */
export async function startKafka(options: KafkaOptions = {}): Promise<Kafka> {
  const { dataDir, brokers = 1, environment = process.env, report = () => {} } = options
  if (brokers !== 1 && brokers !== 3) throw new RangeError("a cluster has 1 broker or 3")
  const installation = await openInstallation(environment, report)
  const archive = await openArchive(installation, report)

  const scratch = dataDir ? undefined : mkdtempSync(join(tmpdir(), "parley-kafka-"))
  const folder = dataDir ?? scratch!
  const [controllerPorts, ports] = [claimPorts(brokers), portsFor(brokers, options.port)]
  const start = (port: number, index: number) =>
    startBroker({
      installation,
      folder: join(folder, String(index + 1)),
      scratch,
      jvm: archive ? [`-XX:SharedArchiveFile=${archive}`] : [],
      properties: {
        ...{ id: index + 1, port, controllerPorts },
        advertisedPort: index === 0 ? options.advertisedPort : undefined,
      },
    })
  const label = brokers === 1 ? "starting a Kafka broker" : `starting ${brokers} Kafka brokers`
  const running = await timed(
    report,
    label,
    () => allOrNone(ports.map(start)),
    () => `, at ${ports.join(", ")}`,
  ).then((engines) => engines.map((engine) => keepRunning(engine, options.keep)))
  const broker = (index: number): EngineProcess => {
    const found = running[index]
    if (!found) throw new RangeError(`there is no broker ${index}`)
    return found
  }
  const stop = async () => {
    // All at once: the last broker would wait for another one to hand its partitions to.
    await Promise.all(running.map((engine) => engine.stop()))
    if (scratch) rmSync(scratch, { recursive: true, force: true })
  }
  const advertised = [options.advertisedPort ?? ports[0]!, ...ports.slice(1)]
  return {
    brokers: advertised.map((port) => `127.0.0.1:${port}`).join(","),
    get pids() {
      return running.map(({ pid }) => pid)
    },
    kill: (index = 0) => broker(index).kill(),
    freeze: (index = 0) => broker(index).freeze(),
    thaw: (index = 0) => broker(index).thaw(),
    restart: (index = 0) => broker(index).restart(),
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

interface BrokerStart {
  installation: Installation
  folder: string
  scratch: string | undefined
  jvm: string[]
  properties: Omit<BrokerProperties, "dataDir">
}

async function startBroker(broker: BrokerStart): Promise<EngineProcess> {
  const { installation, folder, scratch, jvm, properties } = broker
  mkdirSync(folder, { recursive: true })
  const file = join(folder, "server.properties")
  writeFileSync(file, brokerProperties({ ...properties, dataDir: join(folder, "data") }))
  return startEngine({
    name: `Kafka broker ${properties.id}`,
    command: [
      installation.java.path,
      ...[...HEAP, ...JVM, ...LOGGING, ...jvm],
      ...["-cp", installation.classPath, "KafkaMain", file, CLUSTER_ID],
    ],
    logFile: join(folder, "broker.log"),
    scratch,
  })
}

/**
 * The archive of the classes that a broker loads, which halves the time of its start. Made once, by the first broker
 * that runs on a Java runtime; undefined where that cannot make one.
 */
async function openArchive(
  installation: Installation,
  report: Report,
): Promise<string | undefined> {
  const { java, folder, classPath } = installation
  // It fits this very runtime, and jars at this very place.
  const key = Bun.hash(`${java.version}\n${java.path}\n${classPath}`).toString(36)
  const archive = join(folder, `kafka-${key}.jsa`)
  if (existsSync(archive)) return archive
  using _lock = await lockEngines(report)
  if (existsSync(archive)) return archive

  for (const name of readdirSync(folder)) if (name.endsWith(".jsa")) rmSync(join(folder, name))
  const scratch = mkdtempSync(join(tmpdir(), "parley-kafka-"))
  const made = join(folder, `${key}.new`)
  try {
    await timed(report, "archiving the classes that Kafka loads", async () => {
      const [port = 0, controllerPort = 0] = claimPorts(2)
      const broker = await startBroker({
        installation,
        folder: scratch,
        scratch: undefined,
        jvm: [`-XX:ArchiveClassesAtExit=${made}`],
        properties: { id: 1, port, controllerPorts: [controllerPort] },
      })
      await broker.stop()
    })
    if (!existsSync(made)) return undefined
    await rename(made, archive)
    return archive
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

const portsFor = (brokers: number, first: number | undefined): number[] =>
  first === undefined
    ? claimPorts(brokers)
    : Array.from({ length: brokers }, (_, index) => first + index)

/** Where one does not start, the others are ended before this throws. */
async function allOrNone(starting: Promise<EngineProcess>[]): Promise<EngineProcess[]> {
  const settled = await Promise.allSettled(starting)
  const failed = settled.find((result) => result.status === "rejected")
  if (!failed) return Promise.all(starting)
  for (const result of settled) if (result.status === "fulfilled") await result.value.kill()
  throw failed.reason
}
