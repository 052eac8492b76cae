import { expect, test } from "bun:test"
import { GRAPHQL_TRANSPORT_WS_PROTOCOL } from "graphql-ws"
import {
  type BunSocket,
  closeSocket,
  type Hold,
  type SocketData,
  sendAnswer,
  sendFrame,
  upgradeSocket,
} from "./socket.ts"

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

/** A socket with a hold, whose peer has read what it was sent when a test says so. */
function heldSocket(hold: Hold) {
  let data!: SocketData
  const sent: string[] = []
  let buffered = 0
  let isCut = false
  const request = new Request("http://localhost/", {
    headers: { "sec-websocket-protocol": GRAPHQL_TRANSPORT_WS_PROTOCOL },
  })
  const server = {
    upgrade(_request: Request, given: { data: SocketData }) {
      data = given.data
      return true
    },
  }
  upgradeSocket(request, server as never, { opened: () => async () => {} }, {}, undefined, hold)
  const socket = {
    data,
    readyState: WebSocket.OPEN,
    getBufferedAmount: () => buffered,
    cork: (write: () => void) => write(),
    sendText(frame: string) {
      sent.push(frame)
      buffered += frame.length
    },
    terminate() {
      isCut = true
    },
  } as unknown as BunSocket
  return {
    socket,
    sent,
    isCut: () => isCut,
    read() {
      buffered = 0
      data.drain?.(socket)
    },
  }
}
const flushed = () => new Promise(setImmediate)
const frameOf = (letter: string, length: number) => letter.repeat(length)

test("an answer that has been written keeps no place from those that follow, and none for events", async () => {
  const { socket, sent, isCut, read } = heldSocket({ after: 100, events: 1_000, answers: 1_000 })
  expect(sendAnswer(socket, frameOf("a", 500))).toBeTrue()
  expect(sendAnswer(socket, frameOf("b", 500))).toBeTrue()
  sendFrame(socket, frameOf("1", 600))
  await flushed()
  expect(sent).toEqual([frameOf("a", 500)])

  expect(sendAnswer(socket, frameOf("c", 400))).toBeTrue()
  expect(sendAnswer(socket, frameOf("d", 200))).toBeFalse()
  read()
  read()
  expect(sent.map(([letter]) => letter)).toEqual(["a", "b", "1"])
  // One answer is held, of 400.
  sendFrame(socket, frameOf("2", 1_000))
  expect(isCut()).toBeFalse()
  sendFrame(socket, "3")
  expect(isCut()).toBeTrue()
})
