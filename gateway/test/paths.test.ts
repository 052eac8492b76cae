import { afterAll, beforeAll, expect, test } from "bun:test"
import { silentLogger as log } from "@parley/platform/log.ts"
import { until } from "@parley/testing/until.ts"
import fc from "fast-check"
import type { GatewayConfig } from "../config.ts"
import { createGateway, type GatewayContext } from "../context.ts"
import { MAX_EVENT_ITEMS } from "../limits.ts"
import { answer } from "../operations/answer.ts"
import type { Operation } from "../operations/operation.ts"
import type { Delivery, Subscriber } from "../subscriptions/subscriber.ts"
import type { WireError } from "../upstream/ask.ts"
import type { Caller } from "../upstream/caller.ts"
import { Spent } from "../upstream/spent.ts"
import { ALICE, BOB, SECRET } from "./fake-auth.ts"
import { messageSent } from "./fake-chat.ts"
import { type Arguments, randomDocuments } from "./random-document.ts"
import { PUBLIC_URL, startWorld, type World } from "./world.ts"

// The ways that are quick must answer as the one that is general: the planner's plan, run by executeQueryPlan.

const ARGUMENTS: Arguments = {
  id: ['"c1"', '"m1"', '"nope"'],
  username: ['"alice"', '"bob"', '"nobody"', '"broken"'],
  search: ['"a"', '""'],
  first: ["1", "5"],
  last: ["3"],
  conversation: ['"c1"'],
  seq: ["3"],
}
const RUNS = 100

let world: World
let gateway: GatewayContext
let alice: Caller
let bob: Caller

beforeAll(async () => {
  world = await startWorld()
  const config: GatewayConfig = {
    port: 0,
    host: "127.0.0.1",
    publicUrl: PUBLIC_URL,
    linkSecret: SECRET,
    authUrls: [`http://127.0.0.1:${world.auth.port}`],
    chatUrls: [`http://127.0.0.1:${world.chat.port}`],
    webUrl: undefined,
    introspection: true,
    logLevel: "error",
  }
  gateway = createGateway(config, { log })
  await until(
    () => [...gateway.pools.values()].every((pool) => pool.nodes().every(({ up }) => up)),
    "the links",
  )
  const caller = async (user: string): Promise<Caller> => ({
    user,
    token: await world.auth.sign(user),
    refreshToken: undefined,
    userAgent: "",
    address: "",
    cause: undefined,
  })
  alice = await caller(ALICE.id)
  bob = await caller(BOB.id)
  const send = `mutation { sendMessage(input: { id: "m1", conversation: "c1", text: "Hi" }) { id } }`
  await world.ask(send, {}, await world.bearer(BOB.id))
})
afterAll(async () => {
  gateway[Symbol.dispose]()
  await world[Symbol.asyncDispose]()
})

function operationOf(text: string): Operation {
  const checked = gateway.documents.check(text, undefined)
  if (checked.errors) throw checked.errors[0]
  return checked.operation
}

/** Runs an operation as the planner says, whatever quicker way there would be. */
async function generally(operation: Operation, caller: Caller): Promise<string> {
  const { plan, context } = operation.route()
  const scope = { caller, setCookies: [], spent: new Spent() }
  return answer(await gateway.executor.runPlan({ plan, context, variables: {}, scope }), log).json
}

/** Of errors, what they say and about what. The order of keys is the document's on the quick way and the plan's else. */
function comparable(json: string): unknown {
  const { data, errors } = JSON.parse(json) as { data: unknown; errors?: WireError[] }
  const told = errors?.map(({ message, path, extensions }) =>
    JSON.stringify({ message, path, extensions }),
  )
  return { data, errors: told?.toSorted() }
}

async function comparing(documents: fc.Arbitrary<string>): Promise<{ direct: number }> {
  const counts = { direct: 0 }
  const property = fc.asyncProperty(documents, async (text) => {
    const operation = operationOf(text)
    if (operation.route().kind === "direct") counts.direct++
    const { json } = await gateway.executor.run(operation, {}, alice)
    expect(comparable(json)).toEqual(comparable(await generally(operation, alice)))
  })
  await fc.assert(property, { numRuns: RUNS, endOnFailure: true })
  return counts
}

test("a query that one subgraph can answer is answered as by the general way", async () => {
  const roots = ["me", "user", "users", "conversations", "conversation", "message"]
  const { direct } = await comparing(
    randomDocuments(gateway.graph.api, { operation: "query", roots, arguments: ARGUMENTS }),
  )
  expect(direct).toBeGreaterThan(RUNS / 10)
  expect(direct).toBeLessThan(RUNS)
}, 60_000)

test("so is a mutation", async () => {
  const { direct } = await comparing(
    randomDocuments(gateway.graph.api, {
      operation: "mutation",
      roots: ["markRead"],
      arguments: ARGUMENTS,
    }),
  )
  expect(direct).toBeGreaterThan(RUNS / 10)
}, 60_000)

test("an event that is worked out once for many is what each would have got alone", async () => {
  const documents = randomDocuments(gateway.graph.api, {
    operation: "subscription",
    roots: ["events"],
    arguments: ARGUMENTS,
  }).filter((text) => operationOf(text).items({}) <= MAX_EVENT_ITEMS)
  const sockets = [
    { caller: alice, socket: await world.socket({ init: await world.bearer(ALICE.id) }) },
    { caller: alice, socket: await world.socket({ init: await world.bearer(ALICE.id) }) },
    { caller: bob, socket: await world.socket({ init: await world.bearer(BOB.id) }) },
  ]
  let runs = 0
  const property = fc.asyncProperty(documents, fc.boolean(), async (text, byAlice) => {
    const id = String(++runs)
    const before = world.chat.subscriptions.size
    for (const { socket } of sockets) socket.subscribe(id, text)
    const expected = new Map([
      [alice, await alone(text, alice)],
      [bob, await alone(text, bob)],
    ])
    await until(() => world.chat.subscriptions.size === before + 5, "the subscriptions")
    await world.chat.emit(messageSent(1, "Hi", byAlice ? ALICE.id : BOB.id))
    for (const { socket, caller } of sockets) {
      const { payload } = await socket.next("next", id)
      const wanted = await expected.get(caller)!.event
      expect(comparable(JSON.stringify(payload))).toEqual(comparable(wanted))
    }
    for (const { socket } of sockets) socket.send({ id, type: "complete" })
    for (const { stop } of expected.values()) stop()
    await until(() => world.chat.subscriptions.size === before, "the end")
  })
  await fc.assert(property, { numRuns: RUNS / 2, endOnFailure: true })
}, 60_000)

/** Subscribes to just what the plan says, for one viewer, and completes the event by the plan. */
async function alone(text: string, caller: Caller) {
  const { plan, context } = operationOf(text).route()
  if (plan.node?.kind !== "Subscription") throw new Error("no subscription")
  const { primary, rest } = plan.node
  const event = { ...primary, serviceName: "$event" }
  const eventPlan = {
    kind: "QueryPlan" as const,
    node: rest ? { kind: "Sequence" as const, nodes: [event, rest] } : event,
  }
  const { promise, resolve } = Promise.withResolvers<string>()
  const stop = await gateway.pools
    .get("chat")!
    .subscribe({ query: primary.operation, operationName: primary.operationName }, caller, {
      compiled: { subgraph: "chat", shareable: true, render: (payload: string) => payload },
      push: ({ text }: Delivery) => resolve(text!),
      receive: resolve,
    } as unknown as Subscriber)
  const completed = promise.then(async (payload) => {
    const sources = { $event: { process: async () => JSON.parse(payload) } }
    const scope = { caller, setCookies: [], spent: new Spent() }
    const run = { plan: eventPlan, context, variables: {}, scope, sources }
    return answer(await gateway.executor.runPlan(run), log).json
  })
  return { event: completed, stop }
}
