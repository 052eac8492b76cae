import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { until } from "@parley/testing/until.ts"
import { type Parley, startParley } from "../testing/parley.ts"
import type { Person } from "../testing/person.ts"
import type { Reading } from "../testing/reading.ts"
import { TOPOLOGIES, type Topology } from "../testing/topologies.ts"

const SENDERS = 4
const EACH = 60

interface Sent {
  id: string
  seq: number
  text: string
}

/** Sends under load, each sender one message after the other, each until it is acknowledged. */
async function sendAll(people: Person[], chat: string, acknowledged: Sent[]): Promise<void> {
  await Promise.all(
    people.map(async (person, index) => {
      for (let i = 0; i < EACH; i++) {
        const text = `${index}:${i}`
        acknowledged.push({ ...(await person.deliver(chat, text)), text })
      }
    }),
  )
}

async function logOf(person: Person, chat: string): Promise<{ seq: number; id: string }[]> {
  const { conversation } = await person.get<{
    conversation: { log: { seq: number; message?: { id: string } }[] }
  }>(
    `query($c: ID!) { conversation(id: $c) {
      log(after: 0, first: 1000) { seq ... on MessageSent { message { id } } }
    } }`,
    { c: chat },
  )
  return conversation.log.flatMap(({ seq, message }) => (message ? [{ seq, id: message.id }] : []))
}

/** Kills processes while everyone sends, and looks at what everyone has in the end. */
async function survives(parley: Parley, victims: (parley: Parley) => number[]): Promise<void> {
  const people: Person[] = []
  for (let i = 0; i < SENDERS; i++) people.push(await parley.person("Sender"))
  const [first, ...others] = people
  const chat = await first!.chatWith(...others)
  const readings: Reading[] = people.map((person) => person.read())
  await Promise.all(readings.map((reading) => reading.ready()))

  const acknowledged: Sent[] = []
  const sending = sendAll(people, chat, acknowledged)
  await until(() => acknowledged.length >= EACH, "the first messages")
  for (const pid of victims(parley)) process.kill(pid, "SIGKILL")
  await sending

  expect(acknowledged).toHaveLength(SENDERS * EACH)
  const log = await logOf(first!, chat)
  expect(log.map(({ seq }) => seq)).toEqual(log.map((_, index) => index + log[0]!.seq))
  expect(log.map(({ id }) => id).toSorted()).toEqual(acknowledged.map(({ id }) => id).toSorted())
  for (const { id, seq } of acknowledged)
    expect(log.find((entry) => entry.id === id)?.seq).toBe(seq)

  // Nobody did anything: the open clients came back by themselves.
  for (const reading of readings) {
    await until(() => reading.messages(chat).length === log.length, "everyone to catch up", 30_000)
    expect(reading.seqs(chat).filter((seq) => seq >= log[0]!.seq)).toEqual(
      log.map(({ seq }) => seq),
    )
    await reading.stop()
  }
}

/** Who is killed, by the test's name. */
const VICTIMS: Record<string, (parley: Parley) => number[]> = {
  "one chat": (parley) => parley.pidsOf("chat").slice(0, 1),
  "one gateway": (parley) => parley.pidsOf("gateway").slice(0, 1),
  "one auth": (parley) => parley.pidsOf("auth").slice(0, 1),
  "every chat": (parley) => parley.pidsOf("chat"),
}
const victimsOn = (topology: Topology) =>
  Object.keys(VICTIMS).filter((name) => topology === "a cluster of three" || name !== "every chat")

describe.each(TOPOLOGIES)("on %s", (topology) => {
  let parley: Parley
  beforeAll(async () => {
    parley = await startParley(topology)
  }, 120_000)
  afterAll(async () => {
    await parley?.[Symbol.asyncDispose]()
  })

  test.each(victimsOn(topology))(
    "%s killed under load: every acknowledged message is there once, in order, and everyone catches up",
    (name) => survives(parley, VICTIMS[name]!),
    120_000,
  )
})
