import { type Kafka, startKafka } from "@parley/engines/kafka.ts"
import { type Mongo, startMongo } from "@parley/engines/mongo.ts"
import { bothOrNone } from "@parley/platform/both-or-none.ts"
import type { Child } from "@parley/testing/child.ts"
import { temporaryFolder } from "@parley/testing/folder.ts"
import { LIFTED_LIMITS } from "@parley/testing/lifted-limits.ts"
import { linkSecret, startService, untilReady } from "./installation.ts"

/** What is measured of a cluster: its services and its engines are processes alike. */
export type Part = Pick<Child, "name" | "pid">

/** A cluster of its own on one machine: engines, auth, chat nodes and gateways, each a process. */
export interface ClusterInstallation extends AsyncDisposable {
  /** Of the gateways. */
  urls: string[]
  chats: Child[]
  gateways: Child[]
  /** Every process that a message may pass, the engines included; no two have the same name. */
  parts: Part[]
  engines: Part[]
}

export interface ClusterShape {
  chats: number
  gateways: number
}

/** Starts a cluster and resolves once a message can be sent at each of its gateways. */
export async function startCluster(
  { chats, gateways }: ClusterShape,
  say: (text: string) => void,
): Promise<ClusterInstallation> {
  const folder = temporaryFolder()
  const started: Child[] = []
  // The project's own, whatever the environment names: they are measured, too.
  const [mongo, kafka] = await bothOrNone(startMongo({ report: say }), startKafka({ report: say }))
  const end = async () => {
    await Promise.all(started.map((child) => child[Symbol.asyncDispose]()))
    await Promise.all([mongo.stop(), kafka.stop()])
    folder[Symbol.dispose]()
  }
  const common = {
    HOST: "127.0.0.1",
    DATA_DIR: folder.path,
    PUBLIC_URL: "http://localhost:4000",
    LINK_SECRET: linkSecret(),
    SIGNUPS_PER_ADDRESS: "1000000",
    ...LIFTED_LIMITS,
    MONGODB_URL: mongo.url,
    KAFKA_BROKERS: kafka.brokers,
  }
  const start = async (name: string, index: number, more: Record<string, string> = {}) => {
    const child = await startService(name, { ...common, PORT: "0", ...more })
    started.push(child)
    return { ...child, name: `${name}-${index + 1}` }
  }
  const many = (name: string, count: number, more: Record<string, string>) =>
    Promise.all(Array.from({ length: count }, (_, index) => start(name, index, more)))
  try {
    const auth = await start("auth", 0)
    const AUTH_URL = urlOf(auth)
    const chatNodes = await many("chat", chats, { AUTH_URL })
    const CHAT_URL = chatNodes.map(urlOf).join(",")
    const doors = await many("gateway", gateways, { AUTH_URL, CHAT_URL })
    const urls = doors.map(urlOf)
    for (const url of urls) await untilReady(url)
    const ofEngines = partsOf(mongo, kafka)
    return {
      ...{ urls, chats: chatNodes, gateways: doors, engines: ofEngines },
      parts: [...doors, ...chatNodes, auth, ...ofEngines],
      [Symbol.asyncDispose]: end,
    }
  } catch (error) {
    await end()
    throw error
  }
}

const urlOf = ({ port }: Child) => `http://127.0.0.1:${port}`

const partsOf = (mongo: Mongo, kafka: Kafka): Part[] => [
  { name: "mongo", pid: mongo.pid },
  ...kafka.pids.map((pid, index) => ({ name: `kafka-${index + 1}`, pid })),
]
