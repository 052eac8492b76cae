import { expect, setDefaultTimeout, test } from "bun:test"
import { until } from "@parley/testing/until.ts"
import { QUICK, startCluster } from "./cluster.ts"
import { ALICE, BOB } from "./fake-auth.ts"
import { startReader } from "./reader.ts"

setDefaultTimeout(30_000)

const NAMES = `{ conversation(id: "c1") { members { edges { node { user { name } } } } } }`
const names = (answer: unknown) =>
  [...JSON.stringify(answer).matchAll(/"name":"(\w+)"/g)].map(([, name]) => name)

test("what is asked of auth goes to all of them, and where one is gone to the others", async () => {
  await using cluster = await startCluster({ auths: 3 })
  const bearer = await cluster.bearer(ALICE.id)
  const signUp = () =>
    cluster.door.ask("mutation ($input: SignUpInput!) { signUp(input: $input) { id } }", {
      input: { username: `user-${Math.random()}`, password: "x", name: "x" },
    })
  for (let i = 0; i < 6; i++) {
    expect(names(await cluster.door.ask(NAMES, {}, bearer))).toEqual(["Alice", "Bob"])
    expect((await signUp()).errors).toBeUndefined()
  }
  for (const { knobs } of cluster.auths) expect(knobs.calls.length).toBeGreaterThanOrEqual(4)
  const [first, second, third] = cluster.auths
  await first!.stop()
  first!.cut()
  for (let i = 0; i < 6; i++) {
    expect(names(await cluster.door.ask(NAMES, {}, bearer))).toEqual(["Alice", "Bob"])
    expect((await signUp()).errors).toBeUndefined()
  }
  second!.freeze()
  expect(names(await cluster.door.ask(NAMES, {}, bearer))).toEqual(["Alice", "Bob"])
  await until(async () => {
    const { errors } = await signUp()
    expect(errors?.[0]?.extensions.code ?? "UNAVAILABLE").toBe("UNAVAILABLE")
    return third!.knobs.calls.length > 0 && errors === undefined
  }, "a sign-up")
  const keys = await fetch(`${cluster.door.url}/.well-known/jwks.json`)
  expect(((await keys.json()) as { keys: unknown[] }).keys).toHaveLength(1)
  const ready = await fetch(`${cluster.door.url}/readyz`)
  expect(ready.status).toBe(200)
  expect(Object.keys(((await ready.json()) as { down: object }).down).toSorted()).toEqual(
    [first!.url, second!.url].toSorted(),
  )
  third!.freeze()
  const unready = await fetch(`${cluster.door.url}/readyz`)
  expect(unready.status).toBe(503)
  expect(await unready.json()).toMatchObject({
    ready: false,
    reasons: { auth: expect.any(String) },
  })
})

test("events are completed by whichever auth answers", async () => {
  await using cluster = await startCluster({ auths: 2 })
  const socket = await cluster.door.socket({ init: await cluster.bearer(BOB.id) })
  socket.subscribe("e", "subscription { events { ... on MessageSent { seq by { name } } } }")
  await until(() => cluster.chats[0]!.subscriptions.size === 1, "the subscription")
  for (const [seq, freezing] of [undefined, 0, 1].entries()) {
    for (const auth of cluster.auths) auth.thaw()
    if (freezing !== undefined) cluster.auths[freezing]!.freeze()
    await cluster.say()
    expect((await socket.next("next", "e")).payload).toEqual({
      data: { events: { seq: seq + 1, by: { name: "Alice" } } },
    })
  }
})

// At the pace at which it is asked in earnest.
test("the end of a session is known on every gateway within 5 s, whichever auth is frozen", async () => {
  await using cluster = await startCluster({ auths: 2, gateways: 2 }, { times: QUICK.times })
  for (const auth of cluster.auths) {
    const session = `session at ${auth.url}`
    const token = async () => (await cluster.bearer(ALICE.id, session)).authorization
    const both = await Promise.all(cluster.doors.map((door) => startReader([door], token)))
    auth.freeze()
    const since = performance.now()
    cluster.end(session)
    await until(() => both.every(({ closed }) => closed[0] === 4403), "the end")
    expect(performance.now() - since).toBeLessThan(5_000)
    for (const door of cluster.doors) {
      const refused = await door.ask("{ me { id } }", {}, { authorization: await token() })
      expect(refused.errors?.[0]?.extensions.code).toBe("UNAUTHENTICATED")
    }
    for (const reader of both) reader.stop()
    auth.thaw()
  }
})
