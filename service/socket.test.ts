import { expect, test } from "bun:test"
import { type BunSocket, closeSocket, type SocketData, sendFrame } from "./socket.ts"

/** Opens a connection and hands the server's end of it to `act`; resolves with what the client's end saw. */
async function seenBy(
  act: (socket: BunSocket) => void,
): Promise<{ frames: string[]; code: number }> {
  const server = Bun.serve<SocketData>({
    port: 0,
    hostname: "127.0.0.1",
    fetch: (request, server) =>
      server.upgrade(request, { data: {} as SocketData }) ? undefined : new Response(),
    websocket: { open: act, message() {} },
  })
  const { promise, resolve } = Promise.withResolvers<{ frames: string[]; code: number }>()
  const frames: string[] = []
  const client = new WebSocket(`ws://127.0.0.1:${server.port}`)
  client.onmessage = ({ data }) => frames.push(String(data))
  client.onclose = ({ code }) => resolve({ frames, code })
  const seen = await promise
  await server.stop(true)
  return seen
}

test("frames arrive one by one, in order, those sent before the connection closes among them", async () => {
  const { frames, code } = await seenBy((socket) => {
    for (let i = 0; i < 3; i++) sendFrame(socket, `first ${i}`)
    setImmediate(() => {
      sendFrame(socket, "second")
      queueMicrotask(() => {
        for (let i = 0; i < 100; i++) sendFrame(socket, `third ${i} ${"x".repeat(1_000)}`)
        closeSocket(socket, 4403, "enough")
      })
    })
  })
  expect(code).toBe(4403)
  expect(frames.slice(0, 4)).toEqual(["first 0", "first 1", "first 2", "second"])
  expect(frames.slice(4).map((frame) => frame.split(" ")[1])).toEqual(
    Array.from({ length: 100 }, (_, i) => String(i)),
  )
})

test("a connection that is gone says so", async () => {
  let sent: boolean | undefined
  await seenBy((socket) => {
    closeSocket(socket, 1000, "")
    sent = sendFrame(socket, "too late")
  })
  expect(sent).toBeFalse()
})
