import { afterEach, expect, test } from "bun:test"
import { connect, createServer, type Server, type Socket } from "node:net"
import { LOOPBACK } from "../cli/torture/system/loopback.ts"
import { startProxy, type TcpProxy } from "./proxy.ts"
import { until } from "./until.ts"

const open: { close(): void }[] = []
afterEach(() => {
  for (const one of open.splice(0)) one.close()
})

/** A server that sends back what it gets. */
async function echoThroughProxy(): Promise<TcpProxy> {
  const server: Server = createServer((socket) => {
    socket.on("error", () => {})
    socket.pipe(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, LOOPBACK, resolve))
  const proxy = await startProxy((server.address() as { port: number }).port)
  open.push({
    close() {
      proxy.stop()
      server.close()
    },
  })
  return proxy
}

function client(proxy: TcpProxy) {
  const socket: Socket = connect({ host: LOOPBACK, port: proxy.port })
  const heard = { text: "", bytes: 0, closed: false }
  socket.on("data", (chunk: Buffer) => {
    heard.text = (heard.text + chunk.toString()).slice(-100)
    heard.bytes += chunk.length
  })
  socket.on("error", () => {})
  socket.on("close", () => {
    heard.closed = true
  })
  return Object.assign(heard, { socket, say: (text: string) => socket.write(text) })
}

test("passes everything on, however large, and in order", async () => {
  const alice = client(await echoThroughProxy())
  const text = `${"0123456789".repeat(300_000)}the end`
  alice.say(text)
  await until(() => alice.bytes === text.length, "everything to come back")
  expect(alice.text.endsWith("the end")).toBe(true)
  alice.socket.end()
  await until(() => alice.closed, "the other end to close as well")
})

test("drops what is connected and whoever comes, until it heals", async () => {
  const proxy = await echoThroughProxy()
  const alice = client(proxy)
  alice.say("one")
  await until(() => alice.text === "one", "an answer")
  proxy.drop()
  await until(() => alice.closed, "the reset")
  const bob = client(proxy)
  await until(() => bob.closed, "another reset")
  proxy.heal()
  const carol = client(proxy)
  carol.say("two")
  await until(() => carol.text === "two", "an answer after the healing")
})

test("delays what it passes on, and keeps the order when it heals", async () => {
  const proxy = await echoThroughProxy()
  const alice = client(proxy)
  alice.say("one")
  await until(() => alice.text === "one", "an answer")
  proxy.delay(60)
  const began = performance.now()
  alice.say("two")
  await until(() => alice.text === "onetwo", "the late answer")
  expect(performance.now() - began).toBeGreaterThanOrEqual(115)
  alice.say("three")
  proxy.heal()
  alice.say("four")
  await until(() => alice.text === "onetwothreefour", "both answers")
})

test.each(["hang", "stall"] as const)(
  "%s: holds back, closes nothing, and goes on after",
  async (how) => {
    const proxy = await echoThroughProxy()
    const alice = client(proxy)
    alice.say("one")
    await until(() => alice.text === "one", "an answer")
    proxy[how]()
    alice.say("two".repeat(100_000))
    const bob = client(proxy)
    bob.say("three")
    await until(() => !bob.socket.connecting, "a connection all the same")
    expect([alice.bytes, bob.bytes, alice.closed, bob.closed]).toEqual([3, 0, false, false])
    proxy.heal()
    await until(() => alice.bytes === 300_003 && bob.text === "three", "what was held back")
  },
)
