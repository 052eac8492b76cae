import { expect, test } from "bun:test"
import { Cancellation } from "@parley/link/cancellation.ts"
import { silentLogger as log } from "@parley/platform/log.ts"
import { until } from "@parley/testing/until.ts"
import { MAX_IN_FLIGHT } from "../limits.ts"
import type { Upstreamed } from "./ask.ts"
import { subscribeFrame } from "./frames.ts"
import { createLink } from "./link.ts"

/** A node that acknowledges, counts what it is asked, and never answers. */
function startNode() {
  const node = {
    frames: [] as string[],
    sockets: new Map<string, Bun.ServerWebSocket<unknown>>(),
    url: "",
    [Symbol.dispose]: () => void server.stop(true),
  }
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: (request, server) =>
      server.upgrade(request, { data: undefined }) ? undefined : new Response(null),
    websocket: {
      message(socket, text) {
        const frame = JSON.parse(String(text))
        if (frame.type !== "connection_init") return void node.frames.push(String(text))
        node.sockets.set(frame.payload.carries, socket)
        socket.send('{"type":"connection_ack"}')
      },
    },
  })
  node.url = `http://127.0.0.1:${server.port}`
  return node
}

async function connect(url: string) {
  const link = createLink<Upstreamed>({
    ...{ subgraph: "chat", url, secret: "x", log, onShared() {}, onState() {} },
    // The node answers no pings either.
    times: { quiet: 60_000 },
  })
  await until(() => link.answers === "up" && link.events === "up", "both connections")
  return { link, [Symbol.dispose]: () => link.close() }
}
const ask = { query: "{ a }" }
const codeOf = (asked: Promise<unknown>) => asked.then(() => "OK").catch((error) => error.code)

test("requests in flight have a bound, and what is beyond it was not sent", async () => {
  using node = startNode()
  using connected = await connect(node.url)
  const { link } = connected
  const all = Array.from({ length: MAX_IN_FLIGHT }, () => codeOf(link.request(ask, {} as never)))
  const more = await link.request(ask, {} as never).catch((error) => error)
  expect(more).toMatchObject({ code: "UNAVAILABLE", sent: false })
  link.close()
  expect(new Set(await Promise.all(all))).toEqual(new Set(["UNAVAILABLE"]))
})

test("a request whose client has lost interest is completed, and one that has not yet gone out is not sent", async () => {
  using node = startNode()
  using connected = await connect(node.url)
  const { link } = connected
  const cancellation = new Cancellation()
  const asked = codeOf(link.request(ask, {} as never, cancellation))
  await until(() => node.frames.length === 1, "the question")
  cancellation.cancel()
  expect(await asked).toBe("UNAVAILABLE")
  expect(await codeOf(link.request(ask, {} as never, cancellation))).toBe("UNAVAILABLE")
  await until(() => node.frames.length === 2, "the end")
  expect(JSON.parse(node.frames[1]!)).toEqual({ id: "1", type: "complete" })
  expect(link.load).toBe(0)
})

test("where the connection for events breaks, requests go on, and the node can be asked", async () => {
  using node = startNode()
  using connected = await connect(node.url)
  const { link } = connected
  let lost = 0
  const subscriber = {
    user: "alice",
    receive() {},
    ended() {},
    moved() {},
    lost: () => void lost++,
  }
  expect(link.subscribe(ask, {} as never, subscriber)).toBeDefined()
  let isOver = false
  void codeOf(link.request(ask, {} as never)).then(() => {
    isOver = true
  })
  await until(() => node.frames.length === 2, "both")
  node.sockets.get("events")!.terminate()
  await until(() => lost === 1, "the end of the subscription")
  expect([link.answers, link.subscribed, link.load, isOver]).toEqual(["up", 0, 1, false])
  await until(() => link.events === "up", "another connection")
})

test("a question that is longer than a subgraph's frame is refused before it is sent", () => {
  const about = { userAgent: "", address: "10.0.0.1", requestId: "r" }
  const asking = (query: string) => subscribeFrame("chat", "1", { query }, about)
  const frame = (bytes: number) => asking("x".repeat(bytes - asking("").length))
  expect(frame(1024 * 1024)).toHaveLength(1024 * 1024)
  expect(() => frame(1024 * 1024 + 1)).toThrow(expect.objectContaining({ code: "TOO_LARGE" }))
})
