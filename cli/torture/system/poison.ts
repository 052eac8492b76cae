import { Kafka, logLevel } from "kafkajs"

const CONVERSATION = "00000000-0000-7000-8000-000000000000"
const entry = {
  ...{ kind: "message", conversation: CONVERSATION, seq: 1, at: 0, by: "nobody" },
  ...{ id: CONVERSATION, text: "boo", tally: { messages: 1, ofAuthor: 1, members: 1 } },
}
const json = (value: unknown) => Buffer.from(JSON.stringify(value))

/** What none of our nodes would ever send. */
const POISON: (Buffer | null)[] = [
  null,
  Buffer.alloc(0),
  Buffer.from("{"),
  Buffer.from([0xff, 0xfe, 0x00, 0x80]),
  json(null),
  json([]),
  json({ event: { kind: "coup" }, users: ["nobody"] }),
  json({ event: { kind: "entry", entry }, users: [] }),
  json({ event: { kind: "entry", entry: { ...entry, seq: -1 } }, users: ["nobody"] }),
  json({ event: { kind: "entry", entry: { ...entry, seq: "1" } }, users: ["nobody"] }),
  json({
    event: { kind: "entry", entry: { ...entry, text: "o".repeat(900_000) } },
    users: ["nobody"],
  }),
  // Of a conversation and for users that do not exist.
  json({ event: { kind: "entry", entry }, users: ["nobody"] }),
  json({
    event: { kind: "receipt", conversation: CONVERSATION, user: "nobody", delivered: 9, read: 9 },
    users: ["nobody"],
  }),
]

/** Puts such records on every partition of every topic that the services have; answers how many they were. */
export function createPoisoner(broker: string): () => Promise<number> {
  const kafka = new Kafka({ brokers: [broker], clientId: "poisoner", logLevel: logLevel.NOTHING })
  return async () => {
    const [admin, producer] = [kafka.admin(), kafka.producer()]
    try {
      await Promise.all([admin.connect(), producer.connect()])
      const topics = (await admin.listTopics()).filter((topic) => !topic.startsWith("__"))
      const { topics: known } = await admin.fetchTopicMetadata({ topics })
      let count = 0
      for (const { name: topic, partitions } of known) {
        const large = partitions[0]?.partitionId
        const messages = partitions.flatMap(({ partitionId: partition }) =>
          POISON.filter((value) => (value?.length ?? 0) < 100_000 || partition === large).map(
            (value) => ({ partition, value }),
          ),
        )
        count += messages.length
        await producer.send({ topic, messages })
      }
      return count
    } finally {
      await Promise.allSettled([admin.disconnect(), producer.disconnect()])
    }
  }
}
