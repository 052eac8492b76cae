import { expect, test } from "bun:test"
import type { Server } from "graphql-ws"
import { AnswerBackPressure, boundAnswers } from "./answers.ts"
import { ANSWERS_PAUSE_BYTES, PAUSED_OPERATION, PAUSED_OPERATION_BYTES } from "./limits.ts"
import type { BunSocket, SocketData } from "./socket.ts"

const MIB = 1024 * 1024

/** A socket whose peer reads when a test says so. */
function slowSocket() {
  let buffered = 0
  const data = {} as SocketData
  const socket = { data, getBufferedAmount: () => buffered } as unknown as BunSocket
  return {
    socket,
    fill(bytes: number) {
      buffered = bytes
    },
    read() {
      buffered = 0
      data.drained?.()
    },
  }
}
const settled = () => new Promise(setImmediate)

test("operations begin at once while the peer reads, and wait in their order while it does not", async () => {
  const { socket, fill, read } = slowSocket()
  const backPressure = new AnswerBackPressure(socket)
  expect(backPressure.enter(1)).toBeUndefined()
  fill(ANSWERS_PAUSE_BYTES)
  const begun: number[] = []
  for (let i = 0; i < 100; i++) {
    void backPressure.enter(1)!.then(() => {
      begun.push(i)
      // What it answers fills the socket again.
      if (i === 20) fill(ANSWERS_PAUSE_BYTES)
    })
  }
  await settled()
  expect(begun).toEqual([])
  read()
  await settled()
  await settled()
  await settled()
  expect(begun.length).toBeGreaterThan(20)
  expect(begun.length).toBeLessThan(100)
  // A newcomer does not overtake.
  fill(0)
  expect(backPressure.enter(1)).toBeInstanceOf(Promise)
  read()
  while (begun.length < 100) await settled()
  expect(begun).toEqual(Array.from({ length: 100 }, (_, i) => i))
})

test("what waits is bounded, and the end of the connection lets it go", async () => {
  const { socket, fill } = slowSocket()
  const backPressure = new AnswerBackPressure(socket)
  fill(ANSWERS_PAUSE_BYTES)
  const most = PAUSED_OPERATION_BYTES / PAUSED_OPERATION
  const waiting = Array.from({ length: most / 2 }, () => backPressure.enter(PAUSED_OPERATION))
  // However short they are. What is let wait is a promise, for which an assertion would wait for ever.
  expect(() => void backPressure.enter(0)).toThrow("wait to be read")
  backPressure.close()
  await Promise.all(waiting)
})

test("an answer that would make too much wait for its gateway is refused by itself", () => {
  const { socket, fill } = slowSocket()
  const sent: string[] = []
  let send: (frame: string) => unknown = () => {}
  const protocol = {
    opened(connection: { send(frame: string): unknown }) {
      send = (frame) => connection.send(frame)
      return () => {}
    },
  } as unknown as Server<{ socket: BunSocket }>
  boundAnswers(protocol, 2 * MIB).opened(
    { protocol: "", send: (frame) => void sent.push(frame), close() {}, onMessage() {} },
    { socket },
  )
  const answer = `{"id":"1","type":"next","payload":{"data":"${"x".repeat(MIB)}"}}`
  fill(30 * MIB)
  send(answer)
  expect(sent.pop()).toBe(answer)
  fill(32 * MIB)
  send(answer)
  expect(JSON.parse(sent.pop()!)).toMatchObject({
    ...{ id: "1", payload: { errors: [{ extensions: { code: "UNAVAILABLE" } }] } },
  })
})

test("what waited goes on a few at a turn", async () => {
  const { socket, fill, read } = slowSocket()
  const backPressure = new AnswerBackPressure(socket)
  fill(ANSWERS_PAUSE_BYTES)
  let begun = 0
  for (let i = 0; i < 40; i++) void backPressure.enter(1)!.then(() => (begun += 1))
  read()
  for (let i = 0; i < 10; i++) await Promise.resolve()
  expect(begun).toBe(16)
})
