import { isLongerThan } from "@parley/platform/bytes.ts"
import { unavailable } from "@parley/platform/errors.ts"
import type { Server } from "graphql-ws"
import {
  ANSWERS_PAUSE_BYTES,
  ANSWERS_WAITING_BYTES,
  PAUSED_OPERATION,
  PAUSED_OPERATION_BYTES,
} from "./limits.ts"
import { type BunSocket, waitingBytes } from "./socket.ts"
import { answerTooLarge } from "./work.ts"

/** Operations that begin in one turn of the event loop once the gateway has read on. */
const RESUMED_AT_ONCE = 16

const readsTooSlowly = () => unavailable("Too many answers wait to be read just now.")

const ANSWER = /^\{"id":("(?:[^"\\]|\\.)*"),"type":"next",/

/**
 * Bounds a protocol's answers right before the wire. An answer that is too long, or that would exceed the bytes waiting
 * for a slow gateway, becomes an error of its own operation. The connection carries the answers of all users, so it
 * stays open.
 */
export function boundAnswers<Extra extends { socket: BunSocket }>(
  protocol: Server<Extra>,
  answerBytes: number,
): Server<Extra> {
  function bounded(socket: BunSocket, frame: string): string {
    // Most answers are short: their length alone lets them pass.
    if (frame.length * 3 <= answerBytes && waitingBytes(socket) < ANSWERS_PAUSE_BYTES) return frame
    const isTooLong = isLongerThan(frame, answerBytes)
    if (!isTooLong && waitingBytes(socket) + frame.length <= ANSWERS_WAITING_BYTES) return frame
    const id = ANSWER.exec(frame)?.[1]
    if (id === undefined) return frame
    const { message, extensions } = isTooLong ? answerTooLarge(answerBytes) : readsTooSlowly()
    const payload = JSON.stringify({ errors: [{ message, extensions }] })
    return `{"id":${id},"type":"next","payload":${payload}}`
  }

  return {
    opened: (connection, extra) =>
      protocol.opened(
        {
          protocol: connection.protocol,
          send: (frame) => connection.send(bounded(extra.socket, frame)),
          close: (code, reason) => connection.close(code, reason),
          onMessage: (handle) => connection.onMessage(handle),
        },
        extra,
      ),
  }
}

/** Back-pressure: operations wait, in the order in which they came, while their gateway has too much to read. */
export class AnswerBackPressure {
  private readonly paused: { bytes: number; begin(): void }[] = []
  private pausedBytes = 0
  private isResuming = false

  constructor(private readonly socket: BunSocket) {
    socket.data.drained = () => this.resume()
  }

  /**
   * Resolves when an operation with a frame of so many bytes may begin, or when the connection is gone; undefined where
   * it may begin at once. The caller checks afterwards whether the client still waits.
   * @throws ParleyError UNAVAILABLE where too many bytes wait already.
   */
  enter(frameBytes: number): Promise<void> | undefined {
    if (this.paused.length === 0 && waitingBytes(this.socket) < ANSWERS_PAUSE_BYTES) return
    const bytes = frameBytes + PAUSED_OPERATION
    if (this.pausedBytes + bytes > PAUSED_OPERATION_BYTES) throw readsTooSlowly()
    this.pausedBytes += bytes
    return new Promise((begin) => this.paused.push({ bytes, begin }))
  }

  /** Releases the waiting operations of a closed connection. */
  close(): void {
    for (const { begin } of this.paused.splice(0)) begin()
    this.pausedBytes = 0
  }

  private resume(): void {
    if (this.isResuming) return
    for (let left = RESUMED_AT_ONCE; left > 0; left--) {
      if (waitingBytes(this.socket) >= ANSWERS_PAUSE_BYTES) return
      const next = this.paused.shift()
      if (!next) return
      this.pausedBytes -= next.bytes
      next.begin()
    }
    this.isResuming = true
    setImmediate(() => {
      this.isResuming = false
      this.resume()
    })
  }
}
