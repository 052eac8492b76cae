import { afterAll, beforeAll, setDefaultTimeout } from "bun:test"
import { silentLogger } from "@parley/service/log.ts"
import { type Kafka, startKafka } from "../../dev/engines/kafka.ts"
import { busContract } from "./bus.contract.ts"
import { openKafkaBus } from "./kafka.ts"

setDefaultTimeout(60_000)

let own: Kafka | undefined
let brokers: string[]
beforeAll(async () => {
  if (!process.env.KAFKA_BROKERS) own = await startKafka()
  brokers = (process.env.KAFKA_BROKERS ?? own!.brokers).split(",")
})
afterAll(() => own?.stop())

const anyPrefix = () => `test-${crypto.randomUUID().slice(0, 8)}-`

busContract("on Kafka", async () => {
  const topicPrefix = anyPrefix()
  return {
    join: () => openKafkaBus({ brokers, partitions: 64, log: silentLogger, topicPrefix }),
    async [Symbol.asyncDispose]() {},
  }
})
