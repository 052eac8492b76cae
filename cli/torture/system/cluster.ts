import { join } from "node:path"
import { startKafka } from "../../../engines/kafka.ts"
import { startMongo } from "../../../engines/mongo.ts"
import { claim, Kit, nameOf, type SystemOptions } from "./kit.ts"
import { createPoisoner } from "./poison.ts"
import { readMongo } from "./read-mongo.ts"
import type { Engine, System } from "./system.ts"

const CHATS = 3
const GATEWAYS = 2
const AUTHS = 2
const DATABASE = "torture"
/** For the store, in MiB: half an hour leaves some 200,000 entries, of which it keeps the indexes in memory. */
const HEAP = 1_024

/**
 * Three chat nodes, two gateways and two auths on a real Kafka broker and a server that speaks MongoDB's protocol, with
 * a proxy before each process, before the broker, and between the store and each of those who use it.
 */
export async function startCluster(
  options: SystemOptions,
  report: (line: string) => void,
): Promise<System> {
  const kit = new Kit(options, "cluster")
  const [brokerPort = 0, advertisedPort = 0, ...ports] = claim(2 + CHATS + GATEWAYS + AUTHS)
  const [chats, gates, auths] = [
    ports.slice(0, CHATS),
    ports.slice(CHATS, CHATS + GATEWAYS),
    ports.slice(CHATS + GATEWAYS),
  ]
  const [mongo, kafka] = await Promise.all([
    startMongo({ dataDir: join(kit.data, "mongo"), heap: HEAP, report }),
    startKafka({ dataDir: join(kit.data, "kafka"), port: brokerPort, advertisedPort, report }),
  ])
  await kit.wire("to the broker", brokerPort, advertisedPort)
  const mongoPort = Number(new URL(mongo.url).port)
  const storeFor = async (name: string) =>
    `mongodb://127.0.0.1:${await kit.wire(`${name} to the store`, mongoPort)}/${DATABASE}?directConnection=true`

  const authUrls = await kit.before("auth", auths)
  const chatUrls = await kit.before("chat", chats)
  const gateways = await kit.before("gateway", gates)
  const AUTH_URL = authUrls.join(",")
  for (const [index, port] of auths.entries()) {
    const name = nameOf("auth", index, auths)
    kit.start("auth", name, port, { MONGODB_URL: await storeFor(name) })
  }
  for (const [index, port] of chats.entries()) {
    const name = nameOf("chat", index, chats)
    kit.start("chat", name, port, {
      AUTH_URL,
      NODE_URL: chatUrls[index]!,
      MONGODB_URL: await storeFor(name),
      KAFKA_BROKERS: kafka.brokers,
    })
  }
  for (const [index, port] of gates.entries()) {
    const name = nameOf("gateway", index, gates)
    kit.start("gateway", name, port, { AUTH_URL, CHAT_URL: chatUrls.join(",") })
  }

  const stop = async () => {
    await kit.stop()
    await Promise.all([mongo.stop(), kafka.stop()])
  }
  const engine = (name: string, { kill, freeze, thaw, restart }: Omit<Engine, "name">): Engine => ({
    name,
    kill: () => kill(),
    freeze: () => freeze(),
    thaw: () => thaw(),
    restart: () => restart(),
  })
  return {
    engines: "cluster",
    gateways,
    services: kit.services,
    clocks: kit.clocks,
    wires: kit.wires,
    broker: engine("the broker", kafka),
    store: engine("the store", mongo),
    poison: createPoisoner(`127.0.0.1:${advertisedPort}`),
    readStore: (names) => readMongo(mongo.url, DATABASE, names),
    stop,
    [Symbol.asyncDispose]: stop,
  }
}
