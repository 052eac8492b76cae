import { afterAll, beforeAll, expect, spyOn, test } from "bun:test"
import { connect } from "node:net"
import { silentLogger } from "@parley/platform/log.ts"
import { createProxy } from "../proxy.ts"
import { createVisitors } from "../visitors.ts"
import { SECRET } from "./fake-auth.ts"
import { startWorld, type World } from "./world.ts"

let world: World
let asked: { url: string; headers: Headers }[]
const web = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  async fetch(request) {
    asked.push({ url: request.url, headers: new Headers(request.headers) })
    const { pathname } = new URL(request.url)
    if (pathname === "/moved") return Response.redirect("https://elsewhere.example/", 307)
    if (pathname === "/packed") {
      return new Response(Bun.gzipSync("packed"), { headers: { "content-encoding": "gzip" } })
    }
    if (pathname === "/echo") return new Response(request.body, { status: 201 })
    if (pathname === "/slow") {
      return new Response(
        new ReadableStream({
          async start(controller) {
            controller.enqueue(new TextEncoder().encode("first "))
            await slow.promise
            controller.enqueue(new TextEncoder().encode("second"))
            controller.close()
          },
        }),
      )
    }
    const headers = new Headers({ "x-custom": "kept", connection: "x-own", "x-own": "dropped" })
    headers.append("set-cookie", "a=1")
    headers.append("set-cookie", "b=2")
    return new Response(`page ${pathname}`, { headers })
  },
})
const slow = Promise.withResolvers<void>()

beforeAll(async () => {
  asked = []
  world = await startWorld({ webUrl: `http://127.0.0.1:${web.port}` })
})
afterAll(async () => {
  await world[Symbol.asyncDispose]()
  await web.stop(true)
})

test("everything that is not the gateway's own goes to the web app, with who asks and nothing made up", async () => {
  asked = []
  const response = await fetch(`${world.url}/chats/1?a=%20b`, {
    headers: {
      "x-forwarded-for": "6.6.6.6",
      "x-forwarded-host": "evil.example",
      "x-forwarded-anything": "x",
      "x-parley-secret": "guess",
      te: "trailers",
      cookie: "theme=dark",
    },
  })
  expect(await response.text()).toBe("page /chats/1")
  expect(response.headers.getSetCookie()).toEqual(["a=1", "b=2"])
  expect(response.headers.get("x-custom")).toBe("kept")
  expect(response.headers.get("x-own")).toBeNull()
  const [request] = asked
  expect(request!.url).toEndWith("/chats/1?a=%20b")
  const { host } = new URL(world.url)
  expect(Object.fromEntries(request!.headers)).toMatchObject({
    "x-forwarded-for": "127.0.0.1",
    "x-forwarded-proto": "http",
    "x-forwarded-host": host,
    cookie: "theme=dark",
  })
  for (const name of ["x-forwarded-anything", "x-parley-secret", "te"]) {
    expect(request!.headers.get(name)).toBeNull()
  }
})

test("the web app asks for a visitor at the visitor's own address, and no visitor says another", async () => {
  asked = []
  const headers = { "x-parley-address": "6.6.6.6 made-up" }
  await fetch(`${world.url}/chats`, { headers })
  const signed = asked[0]!.headers.get("x-parley-address")!
  expect(signed).toStartWith("127.0.0.1 ")
  const heard = async (given: string) => {
    await world.ask("{ me { id } }", {}, { "x-parley-address": given })
    return world.auth.knobs.calls.at(-1)?.address
  }
  const { sign } = createVisitors(SECRET)
  expect(await heard(sign("10.1.2.3"))).toBe("10.1.2.3")
  expect(await heard(sign("10.1.2.3").replace("10.1.2.3", "10.1.2.4"))).toBe("127.0.0.1")
  expect(await heard("10.1.2.3")).toBe("127.0.0.1")
})

test("bodies that are longer than any of a page's are refused before they are read", async () => {
  asked = []
  const post = (body: BodyInit) => fetch(`${world.url}/echo`, { method: "POST", body })
  expect((await post("x".repeat(1_000_000))).status).toBe(413)
  const endless = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(new Uint8Array(64 * 1024)),
  })
  const status = await post(endless).then(
    ({ status }) => status,
    () => 413,
  )
  expect(status).toBe(413)
  expect(asked).toEqual([])
})

test("bodies, redirects and compressed answers pass through as they are", async () => {
  const echoed = await fetch(`${world.url}/echo`, { method: "POST", body: "x".repeat(100_000) })
  expect(echoed.status).toBe(201)
  expect(await echoed.text()).toHaveLength(100_000)
  const moved = await fetch(`${world.url}/moved`, { redirect: "manual" })
  expect(moved.status).toBe(307)
  expect(moved.headers.get("location")).toBe("https://elsewhere.example/")
  const packed = await fetch(`${world.url}/packed`)
  expect(packed.headers.get("content-encoding")).toBe("gzip")
  expect(await packed.text()).toBe("packed")
})

test("an answer streams: its beginning is there before its end", async () => {
  const response = await fetch(`${world.url}/slow`)
  const reader = response.body!.getReader()
  const first = await reader.read()
  expect(new TextDecoder().decode(first.value)).toBe("first ")
  slow.resolve()
  const second = await reader.read()
  expect(new TextDecoder().decode(second.value)).toBe("second")
})

test("while the web app is down people get a page that tries again, and scripts a sentence", async () => {
  await using alone = await startWorld({ webUrl: "http://127.0.0.1:1" })
  const page = await fetch(alone.url, { headers: { accept: "text/html" } })
  expect(page.status).toBe(502)
  expect(page.headers.get("content-type")).toContain("text/html")
  expect(page.headers.get("refresh")).toBe("3")
  const script = await fetch(alone.url)
  expect(script.status).toBe(502)
  expect(script.headers.get("content-type")).toContain("text/plain")
  const ready = await fetch(`${alone.url}/readyz`)
  expect(ready.status).toBe(503)
  expect(await ready.json()).toMatchObject({ ready: false, reasons: { web: expect.any(String) } })
})

test("without a web app there is nothing", async () => {
  await using alone = await startWorld()
  expect((await fetch(`${alone.url}/chats`)).status).toBe(404)
})

test("the public keys and the state of health are served", async () => {
  const jwks = await fetch(`${world.url}/.well-known/jwks.json`)
  expect(((await jwks.json()) as { keys: unknown[] }).keys).toHaveLength(1)
  expect(jwks.headers.get("content-type")).toBe("application/jwk-set+json")
  expect((await fetch(`${world.url}/healthz`)).status).toBe(200)
  const ready = await fetch(`${world.url}/readyz`)
  expect(await ready.json()).toEqual({ ready: true, reasons: {} })
  await world.stopAuth()
  expect((await fetch(`${world.url}/.well-known/jwks.json`)).status).toBe(503)
  const unready = await fetch(`${world.url}/readyz`)
  expect(unready.status).toBe(503)
  expect(await unready.json()).toMatchObject({ reasons: { auth: expect.any(String) } })
})

test("few bodies are read for pages at once", async () => {
  const visitors = createVisitors(SECRET)
  const proxy = createProxy("http://127.0.0.1:1", "http://localhost", visitors, silentLogger)
  const { promise: told, resolve: tell } = Promise.withResolvers<void>()
  const post = () => {
    const body = new ReadableStream<Uint8Array>({
      async pull(controller) {
        await told
        controller.close()
      },
    })
    return proxy(new Request("http://localhost/", { method: "POST", body }), "10.0.0.1")
  }
  const held = Array.from({ length: 256 }, post)
  expect((await post()).status).toBe(503)
  tell()
  for (const { status } of await Promise.all(held)) expect(status).toBe(502)
})

test("what is longer than 64 MiB is refused by the server itself", async () => {
  const answer = async (length: number) => {
    const told = Promise.withResolvers<string>()
    const socket = connect(Number(new URL(world.url).port), "127.0.0.1")
    socket.on("data", (data) => told.resolve(String(data)))
    socket.on("close", () => told.resolve(""))
    socket.write(`POST /echo HTTP/1.1\r\nhost: localhost\r\ncontent-length: ${length}\r\n\r\nx`)
    const text = await told.promise
    socket.destroy()
    return text
  }
  const ours = "A request to a page may have 128 KiB."
  expect(await answer(64 * 1024 * 1024)).toContain(ours)
  expect(await answer(64 * 1024 * 1024 + 1)).not.toContain(ours)
})

test.each([
  ["a part has 3 s to say whether it works", "/readyz"],
  ["auth has 3 s to say its keys", "/.well-known/jwks.json"],
])("%s", async (_what, path) => {
  await using own = await startWorld()
  const timeouts = spyOn(AbortSignal, "timeout")
  await fetch(`${own.url}${path}`)
  const waits = timeouts.mock.calls.map(([ms]) => ms)
  timeouts.mockRestore()
  expect(waits).toContain(3_000)
})
