import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { silentLogger } from "@parley/platform/log.ts"
import { temporaryFolder } from "@parley/testing/folder.ts"
import { until } from "@parley/testing/until.ts"
import { WRITE_LIMITS } from "../chat/limits.ts"
import { messageId } from "../chat/test/log-builder.ts"
import { everyone, type Node, startNode } from "../chat/test/node.ts"
import { startGateway } from "../gateway/start.ts"
import { startFakeAuth } from "../gateway/test/fake-auth.ts"
import { frontDoor } from "../gateway/test/front-door.ts"
import type { TestSocket } from "../testing/frames.ts"

const SECRET = "the link secret of a gateway under test"
const PUBLIC_URL = "http://localhost:4000"
/** For how long an attack goes on, in ms. */
const ATTACK = 2_500
/** The attacker, the gateway, the node and the bystanders share one thread here. */
const LATE = 2_000

const SEND = "mutation ($input: SendMessageInput!) { sendMessage(input: $input) { seq } }"
const CREATE = `mutation ($of: [ID!]!) { createGroup(title: "T", members: $of) { id } }`
const MARK = "mutation ($c: ID!) { markRead(conversation: $c, seq: 1) { read } }"
const EVENTS = "subscription { events { __typename ... on MessageSent { message { id } } } }"

const folder = temporaryFolder()
let auth: Awaited<ReturnType<typeof startFakeAuth>>
let chat: Node
let gateway: Awaited<ReturnType<typeof startGateway>>
let door: ReturnType<typeof frontDoor>

beforeAll(async () => {
  const clock = { now: () => Date.now() }
  auth = await startFakeAuth({ issuer: PUBLIC_URL, clock, log: silentLogger })
  chat = await startNode(
    folder.path,
    { tokens: auth.tokens, directory: everyone },
    { linkSecret: SECRET, writeLimits: WRITE_LIMITS },
  )
  gateway = await startGateway(
    {
      ...{ port: 0, host: "127.0.0.1", publicUrl: PUBLIC_URL, linkSecret: SECRET },
      ...{ authUrls: [`http://127.0.0.1:${auth.port}`] },
      ...{ chatUrls: [`http://127.0.0.1:${chat.port}`], webUrl: undefined },
      ...{ introspection: true, logLevel: "error" },
      // It is chat that is to hold by itself.
      ...{ operationsPerPerson: 1e6, operationsPerAddress: 1e6 },
    },
    { log: silentLogger },
  )
  door = frontDoor(`http://127.0.0.1:${gateway.port}`)
  await until(async () => (await fetch(`${door.url}/readyz`)).ok, "ready")
})
afterAll(async () => {
  door.leave()
  await gateway.stop()
  await chat[Symbol.asyncDispose]()
  await auth.stop()
  folder[Symbol.dispose]()
})

const authorization = async (user: string) => ({ authorization: `Bearer ${await auth.sign(user)}` })
async function as<Data>(user: string, query: string, variables = {}): Promise<Data> {
  const { data, errors } = await door.ask<Data>(query, variables, await authorization(user))
  expect(errors).toBeUndefined()
  return data!
}
const groupOf = async (by: string, ...of: string[]) =>
  (await as<{ createGroup: { id: string } }>(by, CREATE, { of })).createGroup.id
const input = (conversation: string, text: string, id = messageId()) => ({
  input: { id, conversation, text },
})

interface Outcomes {
  done: number
  /** By code. */
  refused: Record<string, number>
}

/** Sends an operation again and again over some sockets, many at a time on each. */
async function attack(user: string, make: () => { query: string; variables: object }) {
  const outcomes: Outcomes = { done: 0, refused: {} }
  const ends = performance.now() + ATTACK
  const one = async () => {
    const socket = await door.socket({ init: await authorization(user) })
    let asked = 0
    const ask = () => {
      const { query, variables } = make()
      socket.subscribe(`${asked++}`, query, variables as Record<string, unknown>)
    }
    for (let i = 0; i < 8; i++) ask()
    while (performance.now() < ends) {
      const { payload } = await socket.next<{ type: string; payload: Payload }>("next")
      const { code, retryAfterMs } = payload.errors?.[0]?.extensions ?? {}
      if (code === undefined) outcomes.done += 1
      else outcomes.refused[code] = (outcomes.refused[code] ?? 0) + 1
      if (code === "RATE_LIMITED") expect(retryAfterMs).toBeGreaterThan(0)
      // What else came is of no interest: it need not be searched each time.
      const others = socket.frames.splice(0).filter(({ type }) => type === "next")
      socket.frames.push(...others)
      ask()
    }
    socket.terminate()
  }
  await Promise.all(Array.from({ length: 8 }, one))
  return outcomes
}
interface Payload {
  errors?: { extensions: { code?: string; retryAfterMs?: number } }[]
}

/** Bob talks to Alice in a conversation while something else goes on; answers what befell them. */
async function bystanders(conversation: string, meanwhile: () => Promise<Outcomes>) {
  const [alice, bob] = await Promise.all(
    ["alice", "bob"].map(async (user) => door.socket({ init: await authorization(user) })),
  )
  alice!.subscribe("events", EVENTS)
  await alice!.next("next", "events")
  const sentAt = new Map<string, number>()
  const late: number[] = []
  const heard: string[] = []
  const hearing = hear(alice!, (id) => {
    const at = sentAt.get(id)
    if (at === undefined) return
    late.push(performance.now() - at)
    heard.push(id)
  })
  let isOver = false
  const attacking = meanwhile().finally(() => {
    isOver = true
  })
  const sent: string[] = []
  while (!isOver) {
    const id = messageId()
    sentAt.set(id, performance.now())
    sent.push(id)
    bob!.subscribe(id, SEND, input(conversation, "hello", id))
    const { payload } = await bob!.next<{ type: string; payload: Payload }>("next", id)
    expect(payload.errors).toBeUndefined()
    await Bun.sleep(40)
  }
  const outcomes = await attacking
  await until(() => heard.length >= sent.length, "all that Bob said")
  expect(heard).toEqual(sent)
  for (const socket of [alice!, bob!]) {
    expect(socket.isClosed).toBe(false)
    socket.terminate()
  }
  await hearing
  const p99 = late.toSorted((a, b) => a - b)[Math.floor(late.length * 0.99)]!
  return { outcomes, p99, sent: sent.length }
}

async function hear(socket: TestSocket, told: (message: string) => void): Promise<void> {
  for (;;) {
    const event = await socket
      .next<{ type: string; payload: { data: { events: { message?: { id: string } } } } }>(
        "next",
        "events",
      )
      .catch(() => undefined)
    if (!event) return
    const id = event.payload.data?.events.message?.id
    if (id) told(id)
  }
}

describe("beside one account that floods, two people go on talking", () => {
  test.each([
    ["short messages into their group", "x"],
    ["messages of 32 KB into their group", "😀".repeat(8_000)],
  ])(
    "%s",
    async (_what, text) => {
      const mallory = `mallory${text.length}`
      const conversation = await groupOf("alice", "bob", mallory)
      const { outcomes, p99, sent } = await bystanders(conversation, () =>
        attack(mallory, () => ({ query: SEND, variables: input(conversation, text) })),
      )
      const bytes = outcomes.done * Buffer.byteLength(text)
      expect(bytes).toBeLessThanOrEqual(1.1 * 1024 * 1024)
      expect(outcomes.done).toBeLessThanOrEqual(1_000 + 5 * (ATTACK / 1_000 + 1))
      expect(Object.keys(outcomes.refused)).toEqual(["RATE_LIMITED"])
      expect(outcomes.refused.RATE_LIMITED).toBeGreaterThan(0)
      expect(p99).toBeLessThan(LATE)
      expect(sent).toBeGreaterThan(2)
    },
    30_000,
  )

  test("one message, sent again and again", async () => {
    const conversation = await groupOf("alice", "bob", "mallory4")
    const variables = input(conversation, "again")
    const { outcomes, p99 } = await bystanders(conversation, () =>
      attack("mallory4", () => ({ query: SEND, variables })),
    )
    expect(outcomes.done).toBeLessThanOrEqual(1_000 + 5 * (ATTACK / 1_000 + 1))
    expect(p99).toBeLessThan(LATE)
  }, 30_000)

  test("groups that they are put into", async () => {
    const conversation = await groupOf("alice", "bob")
    const { outcomes, p99 } = await bystanders(conversation, () =>
      attack("mallory2", () => ({ query: CREATE, variables: { of: ["alice", "bob"] } })),
    )
    expect(outcomes.done).toBe(WRITE_LIMITS.GROUPS_PER_DAY)
    expect(outcomes.refused.RATE_LIMITED).toBeGreaterThan(0)
    expect(p99).toBeLessThan(LATE)
  }, 30_000)

  test("marks that change nothing", async () => {
    const conversation = await groupOf("alice", "bob", "mallory3")
    const { outcomes, p99 } = await bystanders(conversation, () =>
      attack("mallory3", () => ({ query: MARK, variables: { c: conversation } })),
    )
    expect(outcomes.done).toBeLessThanOrEqual(10_000 + 20 * (ATTACK / 1_000 + 1))
    expect(p99).toBeLessThan(LATE)
  }, 30_000)
})
