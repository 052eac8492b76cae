import { describe, expect, setDefaultTimeout, test } from "bun:test"
import { until } from "@parley/testing/until.ts"
import { QUICK, startCluster } from "./cluster.ts"
import { ALICE } from "./fake-auth.ts"
import { messageSent } from "./fake-chat.ts"
import { startWorld } from "./world.ts"

setDefaultTimeout(30_000)

const CHAT = `{ conversation(id: "c1") { id } }`
const EVENTS = "subscription { events { ... on MessageSent { seq } } }"
/** Of chat and of auth: no one subgraph can answer it whole. */
const SENDER = `message(id: "m1") { sender { name } }`
const TOO_LARGE = { code: "TOO_LARGE", retryable: false }

/**
 * 60 KB that the planner opens at each of 19 places, each a spread inside a selection that may be skipped. It plans for
 * what one subgraph cannot answer whole.
 */
const poison = (root: string, joined: string) => {
  const field = `${"x".repeat(60_000)}: __typename`
  const places = Array.from(
    { length: 19 },
    (_, i) => `p${i}: ${root} { ... @include(if: $v) { ...F } }`,
  )
  return (type: string) =>
    `query ($v: Boolean!) { ${joined} ${places.join(" ")} } fragment F on ${type} { ${field} }`
}

describe("an operation that is more than a node takes in one frame", () => {
  test("is TOO_LARGE, at no node, and no connection is cut for it", async () => {
    await using cluster = await startCluster({ chats: 3 })
    const bearer = await cluster.bearer(ALICE.id)
    const socket = await cluster.door.socket({ init: bearer })
    socket.subscribe("e", EVENTS)
    await until(() => cluster.subscriptions().includes(1), "the subscription")
    for (const chat of cluster.chats) chat.knobs.calls = []
    const tasks = Array.from({ length: 5 }, () =>
      cluster.door.ask(
        poison(`conversation(id: "c1")`, SENDER)("Conversation"),
        { v: true },
        bearer,
      ),
    )
    for (const { data, errors } of await Promise.all(tasks)) {
      expect(
        Object.values(data ?? {}).filter((one) => one && !("name" in (one as object))),
      ).toEqual([])
      expect(errors![0]!.extensions).toMatchObject(TOO_LARGE)
    }
    expect(cluster.chats.flatMap(({ knobs }) => knobs.calls)).toEqual([])
    await cluster.say()
    expect((await socket.next("next", "e")).payload).toEqual({ data: { events: { seq: 1 } } })
    expect(cluster.chats.map((chat) => chat.links())).toEqual([2, 2, 2])
  })

  test("is refused to those who are not signed in, and others sign in meanwhile", async () => {
    await using world = await startWorld()
    const schema = `__type(name: "User") { name }`
    const asked = world.ask(poison("me", schema)("User"), { v: true })
    const signIn = `mutation { signIn(input: { username: "alice", password: "x" }) { id } }`
    expect(await world.ask(signIn)).toMatchObject({ data: { signIn: { id: ALICE.id } } })
    // What the public may ask for lies in one subgraph. Only a question about the schema makes it be planned, and that one
    // has few aliases.
    expect((await asked).errors![0]!.extensions).toMatchObject({
      code: "GRAPHQL_VALIDATION_FAILED",
    })
    const links = await fetch(`${world.url}/readyz`)
    expect(links.status).toBe(200)
  })

  test("is counted in bytes, not in characters", async () => {
    await using world = await startWorld()
    const bearer = await world.bearer(ALICE.id)
    const socket = await world.socket({ init: bearer })
    socket.subscribe("e", EVENTS)
    await until(() => world.chat.subscriptions.size === 1, "the subscription")
    // 20,000 characters of three bytes, opened at 19 places: 380,000 characters, 1.1 MB.
    const places = Array.from(
      { length: 19 },
      (_, i) => `p${i}: conversation(id: "c1") { ... @include(if: $v) { ...F } }`,
    )
    const query = `query ($v: Boolean!) { me { id } ${places.join(" ")} } fragment F on Conversation {
      messages(first: 1, after: "${"€".repeat(20_000)}") { edges { cursor } }
    }`
    const { errors } = await world.ask(query, { v: true }, bearer)
    expect(errors![0]!.extensions).toMatchObject(TOO_LARGE)
    await world.chat.emit(messageSent(1))
    expect((await socket.next("next", "e")).payload).toEqual({ data: { events: { seq: 1 } } })
  })

  test("ends its own subscription, and the socket goes on", async () => {
    await using world = await startWorld()
    const socket = await world.socket({ init: await world.bearer(ALICE.id) })
    const fields = Array.from(
      { length: 19 },
      (_, i) => `p${i}: message { ... @include(if: $v) { ...F } }`,
    )
    socket.subscribe(
      "large",
      `subscription ($v: Boolean!) { events { ... on MessageSent { by { name } ${fields.join(" ")} } } }
       fragment F on Message { ${"x".repeat(60_000)}: text }`,
      { v: true },
    )
    expect((await socket.next("error", "large")).payload).toMatchObject([{ extensions: TOO_LARGE }])
    socket.subscribe("e", EVENTS)
    await until(() => world.chat.subscriptions.size === 1, "the subscription")
    await world.chat.emit(messageSent(1))
    expect((await socket.next("next", "e")).payload).toEqual({ data: { events: { seq: 1 } } })
  })
})

describe("an operation that breaks the node that it is asked of", () => {
  test("is asked of no other node, while what others asked is answered there", async () => {
    await using cluster = await startCluster({ chats: 3 }, { ...QUICK, timeout: 20_000 })
    const bearer = await cluster.bearer(ALICE.id)
    const place = cluster.placeOf(ALICE.id)
    expect(await cluster.door.ask(CHAT, {}, bearer)).toMatchObject({ data: {} })
    // What no client has asked before breaks the node, as by a bug of the store.
    const gate = Promise.withResolvers<void>()
    for (const chat of cluster.chats) {
      chat.knobs.calls = []
      chat.knobs.reading = gate.promise
    }
    const poison = cluster.door.ask(`{ poison: conversation(id: "c1") { head } }`, {}, bearer)
    const honest = cluster.door.ask(CHAT, {}, bearer)
    await until(() => place.knobs.calls.length === 2, "both questions")
    for (const chat of cluster.chats) chat.knobs.reading = undefined
    place.cut()
    expect(await honest).toMatchObject({ data: { conversation: { id: "c1" } } })
    expect((await poison).errors![0]!.extensions.code).toBe("UNAVAILABLE")
    const others = cluster.chats.filter((chat) => chat !== place)
    expect(others.flatMap(({ knobs }) => knobs.calls)).toHaveLength(1)
    gate.resolve()
  })

  test("is asked of two nodes at most, though its document is a known one", async () => {
    await using cluster = await startCluster({ chats: 3 }, { ...QUICK, timeout: 20_000 })
    const bearer = await cluster.bearer(ALICE.id)
    expect(await cluster.door.ask(CHAT, {}, bearer)).toMatchObject({ data: {} })
    for (const chat of cluster.chats) {
      chat.knobs.calls = []
      chat.knobs.reading = new Promise(() => {})
    }
    const asked = cluster.door.ask(CHAT, {}, bearer)
    const broken = new Set<unknown>()
    while (broken.size < 2) {
      const next = () =>
        cluster.chats.find((chat) => chat.knobs.calls.length > 0 && !broken.has(chat))
      await until(() => next() !== undefined, "the question")
      const chat = next()!
      broken.add(chat)
      chat.cut()
    }
    expect((await asked).errors![0]!.extensions.code).toBe("UNAVAILABLE")
    const [last] = cluster.chats.filter((chat) => !broken.has(chat))
    expect(last!.knobs.calls).toEqual([])
  })
})

describe("events travel apart from answers", () => {
  test("a connection for answers that breaks takes no subscription with it", async () => {
    await using world = await startWorld()
    const bearer = await world.bearer(ALICE.id)
    const socket = await world.socket({ init: bearer })
    socket.subscribe("e", EVENTS)
    await until(() => world.chat.subscriptions.size === 1, "the subscription")
    await world.ask(CHAT, {}, bearer)
    const answers = world.chat.knobs.sockets.get("answers")!
    const events = world.chat.knobs.sockets.get("events")!
    expect(answers).not.toBe(events)
    answers.terminate()
    await until(() => world.chat.knobs.sockets.get("answers") !== answers, "another connection")
    await world.chat.emit(messageSent(1))
    expect((await socket.next("next", "e")).payload).toEqual({ data: { events: { seq: 1 } } })
    await until(async () => (await world.ask(CHAT, {}, bearer)).errors === undefined, "an answer")
    expect(socket.isClosed).toBeFalse()
  })
})
