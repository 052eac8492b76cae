import { expect, setDefaultTimeout, test } from "bun:test"
import { until } from "@parley/testing/until.ts"
import { startCluster } from "./cluster.ts"
import { ALICE } from "./fake-auth.ts"
import { startReader } from "./reader.ts"

setDefaultTimeout(30_000)

const ME = "{ me { name } }"
const UNAUTHENTICATED = { payload: [{ extensions: { code: "UNAUTHENTICATED" } }] }
/** Longer than any access token lives, and shorter than a socket lives without one, in ms. */
const LATER = 10 * 60_000 + 10_000

// No gateway knows what another one knows: these are the promises that could depend on it.

test("a token that was renewed at another gateway is told with the operation", async () => {
  await using cluster = await startCluster({ gateways: 2 })
  const [here, there] = cluster.doors
  const socket = await here!.socket({ init: await cluster.bearer(ALICE.id, "s") })
  cluster.advance(LATER)
  const renewed = await cluster.bearer(ALICE.id, "s")
  expect(await there!.ask(ME, {}, renewed)).toMatchObject({ data: { me: { name: "Alice" } } })
  socket.subscribe("1", ME)
  expect(await socket.next("error", "1")).toMatchObject(UNAUTHENTICATED)
  socket.subscribe("2", ME, {}, renewed)
  await socket.next("next", "2")
  // That was it: it goes on as if nothing had been.
  socket.subscribe("3", ME)
  await socket.next("next", "3")
})

test("a browser, whose scripts see no token, is made to come back with its new cookie", async () => {
  await using cluster = await startCluster({ gateways: 2 })
  const [here, there] = cluster.doors
  const cookieOf = ({ authorization }: { authorization: string }) => ({
    cookie: `parley_access=${authorization.slice("Bearer ".length)}`,
  })
  const old = cookieOf(await cluster.bearer(ALICE.id, "s"))
  const socket = await here!.socket({ headers: old, init: undefined })
  cluster.advance(LATER)
  const renewed = cookieOf(await cluster.bearer(ALICE.id, "s"))
  await there!.ask(ME, {}, renewed)
  // It asks, renews, and asks again: as often as it likes within a second.
  for (const id of ["1", "2", "3"]) {
    socket.subscribe(id, ME)
    expect(await socket.next("error", id)).toMatchObject(UNAUTHENTICATED)
  }
  cluster.advance(1_100)
  socket.subscribe("4", ME)
  expect((await socket.closed).code).toBe(4403)
  const again = await here!.socket({ headers: renewed, init: undefined })
  again.subscribe("1", ME)
  await again.next("next", "1")
})

test("a subscription that moves does so on its socket, unless it would be refused there", async () => {
  await using cluster = await startCluster({ chats: 2 })
  const [user] = cluster.usersOf(1) as [string]
  const [node] = cluster.chats as [(typeof cluster.chats)[0]]
  let token = await cluster.bearer(user, "s")
  const reader = await startReader(cluster.doors, async () => token.authorization)
  await until(() => node.subscriptions.size === 1, "the subscription")
  const drain = async (draining: boolean) => {
    cluster.listed.set(node.url, { draining })
    await until(() => (node.subscriptions.size === 0) === draining, "the move")
  }
  await drain(true)
  await drain(false)
  expect([reader.ended, reader.closed]).toEqual([2, []])
  cluster.advance(LATER)
  token = await cluster.bearer(user, "s")
  await drain(true)
  expect([reader.ended, reader.closed]).toEqual([2, [1012]])
  await cluster.say()
  await until(() => reader.seen.length === 1, "the message")
  expect(reader.refused).toEqual([])
  reader.stop()
})

test("what was sent through a gateway that is gone is repeated through another, by its id", async () => {
  await using cluster = await startCluster({ chats: 2, gateways: 2 })
  const [here, there] = cluster.doors
  const bearer = await cluster.bearer(ALICE.id)
  const input = { id: Bun.randomUUIDv7(), conversation: "c1", text: "Hi" }
  const send = "mutation ($input: SendMessageInput!) { sendMessage(input: $input) { id } }"
  expect(await here!.ask(send, { input }, bearer)).toMatchObject({ data: {} })
  await cluster.stopGateway(0)
  await expect(here!.ask(send, { input }, bearer)).rejects.toThrow()
  expect(await there!.ask(send, { input }, bearer)).toMatchObject({
    data: { sendMessage: { id: input.id } },
  })
})
