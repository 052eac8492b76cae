import { temporaryFolder } from "@parley/testing/folder.ts"
import { createReader } from "../../../chat/domain/reader.ts"
import { openStore, type Store } from "../../../chat/store/store.ts"
import { ratios } from "../measure.ts"
import { type Figure, figure } from "../report.ts"
import type { Scenario } from "../scenario.ts"
import { median, summary } from "../stats.ts"

const SHORT = 100
const PAGE = 50
const BATCH = 500
/** A round of them makes a short conversation hardly longer. */
const SENDS = 20
/** Writes every message. */
const BUSY = "busy"
/** Reads up to the founding, and writes nothing. */
const SILENT = "silent"

/** What a conversation costs chat's rules and its embedded store when it has become long, against a short one. */
export const long: Scenario = async ({ quick, say }) => {
  const messages = quick ? 2_000 : 100_000
  const rounds = quick ? 3 : 15
  const repeats = quick ? 10 : 200
  using folder = temporaryFolder()
  await using store = await openStore({ dataDir: folder.path })
  say(`writing ${messages} messages`)
  const short = await conversationOf(store, "short", SHORT)
  const long = await conversationOf(store, "long", messages)

  /** Rounds of both in turn, every other time in the reverse order, after one that warms up. */
  async function compare(name: string, time: (of: Conversation, name: string) => Promise<number>) {
    const took: [number[], number[]] = [[], []]
    for (let round = -1; round < rounds; round++) {
      // Sending makes a conversation longer: a short one is new each time.
      const isSending = name in short.sends
      const few = isSending ? await conversationOf(store, `${name} ${round}`, SHORT) : short
      for (const which of round % 2 === 0 ? ([0, 1] as const) : ([1, 0] as const)) {
        const one = await time(which === 0 ? few : long, name)
        if (round >= 0) took[which].push(one)
      }
    }
    return took
  }

  const figures: Figure[] = []
  function add(name: string, unit: string, [few, many]: [number[], number[]]) {
    const label = `${name}: ${messages.toLocaleString("en")}`
    figures.push(
      figure({ name: `${label} messages`, unit, value: summary(many) }),
      figure({
        name: `${label} against ${SHORT}`,
        unit: "×",
        value: ratios(many, few),
        atMost: 1.1,
      }),
    )
  }
  for (const name of Object.keys(short.reads)) {
    add(name, "µs", await compare(name, (of, name) => timeOf(of.reads[name]!, repeats)))
  }
  for (const name of Object.keys(short.sends)) {
    add(name, "µs CPU", await compare(name, (of, name) => cpuOf(of.sends[name]!, SENDS)))
  }
  return {
    scenario: "long",
    about:
      `a conversation of ${messages} messages against one of ${SHORT}, in chat's rules and its SQLite store; ` +
      "the busy member has written all of them, a silent one has neither written nor read any; sending by its CPU, " +
      "since its time is that of an fsync",
    figures,
  }
}

type Operation = () => Promise<unknown>

interface Conversation {
  reads: Record<string, Operation>
  sends: Record<string, Operation>
}

/** Writes a conversation, and says what its members do in it. */
async function conversationOf(
  store: Store,
  conversation: string,
  messages: number,
): Promise<Conversation> {
  const reader = createReader(store)
  let seq = 1
  const place = (by: string) => ({ conversation, seq, at: 1_000 + seq, by })
  const message = (by: string, ofAuthor: number) => {
    seq += 1
    const tally = { messages: seq - 1, ofAuthor, members: 1 }
    const text = "What is there to say?"
    return { ...place(by), kind: "message" as const, id: Bun.randomUUIDv7(), text, tally }
  }
  /** As the appender does for an author who is new to its state. */
  async function send(by: string) {
    const before = await store.countMessages(conversation, 0, seq, by)
    await store.append([message(by, before + 1)])
  }
  await store.append([
    {
      ...place(BUSY),
      kind: "members",
      ...{ joined: [BUSY, SILENT], left: [], promoted: [BUSY], demoted: [] },
      created: { kind: "GROUP", title: conversation },
      tally: { messages: 0, ofAuthor: 0, members: 1 },
    },
  ])
  while (seq <= messages) {
    const batch = Math.min(BATCH, messages + 1 - seq)
    await store.append(Array.from({ length: batch }, () => message(BUSY, seq)))
  }
  const members = {
    [BUSY]: (await store.member(conversation, BUSY))!,
    [SILENT]: (await store.member(conversation, SILENT))!,
  }
  const of = (user: typeof BUSY | typeof SILENT) => {
    const member = members[user]
    return {
      [`unread, ${user}`]: () => reader.unread(member, seq),
      [`page, ${user}`]: () =>
        reader.messages(member, { from: 1, to: seq, limit: PAGE, order: "newest" }),
      [`log, ${user}`]: () => reader.log(member, seq - PAGE, PAGE),
      [`list, ${user}`]: async () => {
        await store.member(conversation, user)
        await reader.lastMessage(member, seq)
        await reader.unread(member, seq)
      },
    }
  }
  return {
    reads: { open: () => store.state(conversation), ...of(BUSY), ...of(SILENT) },
    sends: {
      [`send, ${BUSY}`]: () => send(BUSY),
      // Who has sent once is silent no more.
      [`send, ${SILENT}`]: () => send(`${SILENT} ${seq}`),
    },
  }
}

/** @returns µs of one, the median of some one after the other. */
async function timeOf(run: Operation, repeats: number): Promise<number> {
  const times: number[] = []
  for (let i = 0; i < repeats; i++) {
    const began = Bun.nanoseconds()
    await run()
    times.push((Bun.nanoseconds() - began) / 1_000)
  }
  return median(times)
}

/** @returns µs of this process's CPU for one. */
async function cpuOf(run: Operation, repeats: number): Promise<number> {
  const before = process.cpuUsage()
  for (let i = 0; i < repeats; i++) await run()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / repeats
}
