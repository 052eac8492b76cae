import { afterAll, beforeAll, expect, test } from "bun:test"
import { until } from "@parley/testing/until.ts"
import { createLiveSocket } from "./socket.ts"

/** What a browser has and Bun has not. */
const before = { document: globalThis.document, location: globalThis.location }
const page = Object.assign(new EventTarget(), { visibilityState: "visible" })
let listeners = 0
beforeAll(() => {
  const { addEventListener: add, removeEventListener: remove } = page
  page.addEventListener = (...given: Parameters<typeof add>) => {
    listeners += 1
    add.apply(page, given)
  }
  page.removeEventListener = (...given: Parameters<typeof remove>) => {
    listeners -= 1
    remove.apply(page, given)
  }
  Object.assign(globalThis, { document: page })
})
afterAll(() => void Object.assign(globalThis, before))

/** A gateway that takes each socket in and closes it at once. */
function gateway() {
  const times: number[] = []
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: (request, server) =>
      server.upgrade(request) ? undefined : new Response(null, { status: 400 }),
    websocket: {
      message(socket) {
        times.push(performance.now())
        socket.send('{"type":"connection_ack"}')
        socket.close(1013, "Too many")
      },
    },
  })
  Object.assign(globalThis, { location: { origin: server.url.origin } })
  return { times, [Symbol.dispose]: () => void server.stop(true) }
}

const sink = { next() {}, error() {}, complete() {} }

test("a gateway that takes sockets in and closes them is asked at growing pauses, and at once on a look", async () => {
  using line = gateway()
  const { client, watchNetwork } = createLiveSocket()
  const unwatch = watchNetwork()
  expect(listeners).toBe(1)
  client.subscribe({ query: "subscription { events { __typename } }" }, sink)
  await until(() => line.times.length === 5, "five attempts")
  // The least of 300, 600, 1200 and 2400 ms, each by a half; four pauses of the first kind are 1200 ms at most.
  expect(line.times[4]! - line.times[0]!).toBeGreaterThanOrEqual(2_200)
  expect(listeners).toBe(1)
  // The next pause is more than two seconds.
  const seen = performance.now()
  await until(() => {
    page.dispatchEvent(new Event("visibilitychange"))
    return line.times.length > 5
  }, "the next attempt")
  expect(performance.now() - seen).toBeLessThan(2_000)
  await client.dispose()
  unwatch()
  expect(listeners).toBe(0)
})

test("a socket that a network swallows is given up, and another one tried", async () => {
  let opened = 0
  const silent = Bun.listen({
    port: 0,
    hostname: "127.0.0.1",
    socket: {
      open() {
        opened += 1
      },
      data() {},
    },
  })
  Object.assign(globalThis, { location: { origin: `http://127.0.0.1:${silent.port}` } })
  const { client } = createLiveSocket({ openWithinMs: 30 })
  const end = client.subscribe({ query: "subscription { events { __typename } }" }, sink)
  await until(() => opened === 3, "three attempts")
  end()
  silent.stop(true)
})
