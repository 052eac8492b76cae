import type { Server, ServerWebSocket } from "bun"
import {
  GRAPHQL_TRANSPORT_WS_PROTOCOL,
  handleProtocols,
  type Server as ProtocolServer,
} from "graphql-ws"
import { CLOSE } from "./close-codes.ts"

/** What Bun keeps per socket: where its frames go, set once by the protocol server. */
export interface SocketData {
  open(socket: BunSocket): void
  message(socket: BunSocket, frame: string | Buffer): void
  close(socket: BunSocket, code: number, reason: string): void
  handle?: (frame: string) => Promise<void>
  closed?: (code: number, reason: string) => Promise<void>
  /** What was sent before has been read, in part at least. */
  drain?: (socket: BunSocket) => void
  drained?: () => void
  /** Control frames of the peer; Bun answers its pings by itself. */
  ping?: (socket: BunSocket) => void
  pong?: (socket: BunSocket) => void
  /** Characters of the frame that is being handled. */
  frameSize?: number
  /** Absent: Bun alone decides how much may wait. */
  hold?: Hold
  /** Frames that have not been written yet: those of this turn of the event loop, and those that are held. */
  unsent?: string[]
  /** Characters of these, and of the answers among them. */
  unsentSize?: number
  answersSize?: number
  /** The places of these answers among the frames, where there is a hold. */
  answersAt?: number[]
  /** The peer reads slowly: what comes is held until it has caught up. */
  isHeld?: boolean
}

/**
 * What may wait for a peer that reads slowly, in bytes. Frames are written as long as no more than `after` waits in the
 * socket, and the rest is held here: one frame may well be longer than all that, and what follows must not cut it.
 */
export interface Hold {
  after: number
  /** Of what comes by itself, such as events: a peer for which more is held is cut off. */
  events: number
  /** Of answers: a peer for which more would be held is refused the answer. */
  answers: number
}
export type BunSocket = ServerWebSocket<SocketData>

/** Bun's websocket options that every service shares; the queue's bound is the service's own. */
export const socketLimits = (limits: { maxFrameBytes: number; maxQueuedBytes: number }) => ({
  maxPayloadLength: limits.maxFrameBytes,
  backpressureLimit: limits.maxQueuedBytes,
  // Without this, Bun drops the frames that do not fit, and says nothing.
  closeOnBackpressureLimit: true,
  idleTimeout: 120,
  perMessageDeflate: false,
})

/** Told of connections as they come and go. */
export interface SocketWatch {
  opened(socket: BunSocket): void
  closed(socket: BunSocket, code: number): void
}

let unflushed: BunSocket[] = []

/** Bytes that wait for the peer to read them: those in Bun's socket, and those not written to it yet. */
export const waitingBytes = (socket: BunSocket): number =>
  socket.getBufferedAmount() + (socket.data.unsentSize ?? 0)

/**
 * Sends a frame together with the others that this turn of the event loop has for the socket: an operation's `next`
 * and `complete`, and the events around them, cost one write and not one each. Every frame of a socket goes this way,
 * or it would overtake those that wait. False where the connection is gone.
 */
export function sendFrame(socket: BunSocket, frame: string): boolean {
  const { data } = socket
  if (data.unsent) {
    data.unsent.push(frame)
    data.unsentSize! += frame.length
    if (data.isHeld) cutWhereTooMuchIsHeld(socket)
    return true
  }
  if (socket.readyState !== WebSocket.OPEN) return false
  data.unsent = [frame]
  data.unsentSize = frame.length
  data.answersSize = 0
  if (unflushed.push(socket) === 1) setImmediate(flushAll)
  return true
}

/** Sends an answer. False where so many wait for the peer to read them that this one is to be refused. */
export function sendAnswer(socket: BunSocket, frame: string): boolean {
  const { data } = socket
  const waiting = data.answersSize ?? 0
  if (data.hold && waiting > 0 && waiting + frame.length > data.hold.answers) return false
  data.answersSize = waiting + frame.length
  const isSent = sendFrame(socket, frame)
  if (!isSent || !data.unsent) return true
  data.answersSize = waiting + frame.length
  if (data.hold) {
    data.answersAt ??= []
    data.answersAt.push(data.unsent.length - 1)
  }
  return true
}

function cutWhereTooMuchIsHeld(socket: BunSocket): void {
  const { hold, unsentSize = 0, answersSize = 0 } = socket.data
  if (!hold || unsentSize - answersSize <= hold.events) return
  forget(socket.data)
  socket.terminate()
}

/** Closes a connection after the frames that were sent before. */
export function closeSocket(socket: BunSocket, code?: number, reason?: string): void {
  const { data } = socket
  if (data.unsent) {
    const frames = data.unsent
    forget(data)
    write(socket, frames)
  }
  socket.close(code, reason)
}

function forget(data: SocketData): void {
  data.unsent = undefined
  data.unsentSize = 0
  data.answersSize = 0
  data.answersAt = undefined
  data.isHeld = false
}

function flushAll(): void {
  const sockets = unflushed
  unflushed = []
  for (const socket of sockets) flush(socket)
}

/** Writes what has not been written yet; of a socket with a bound of its own as much as the peer takes. */
function flush(socket: BunSocket): void {
  const { data } = socket
  const frames = data.unsent
  if (!frames) return
  const after = data.hold?.after
  if (
    after === undefined ||
    (!data.isHeld && data.unsentSize! <= after - socket.getBufferedAmount())
  ) {
    forget(data)
    write(socket, frames)
    // The kernel may have taken all at once: then nothing is left that could drain.
    data.drained?.()
    return
  }
  let written = 0
  socket.cork(() => {
    while (written < frames.length && socket.getBufferedAmount() <= after) {
      socket.sendText(frames[written++]!)
    }
  })
  if (written === frames.length) {
    forget(data)
    return
  }
  takeWritten(data, frames.splice(0, written))
  data.isHeld = true
  cutWhereTooMuchIsHeld(socket)
}

/** Takes what has been written off what waits. */
function takeWritten(data: SocketData, written: readonly string[]): void {
  for (const { length } of written) data.unsentSize! -= length
  const left: number[] = []
  for (const at of data.answersAt ?? []) {
    if (at < written.length) data.answersSize! -= written[at]!.length
    else left.push(at - written.length)
  }
  data.answersAt = left
}

function write(socket: BunSocket, frames: readonly string[]): void {
  if (frames.length === 1) {
    socket.sendText(frames[0]!)
    return
  }
  socket.cork(() => {
    for (const frame of frames) socket.sendText(frame)
  })
}

/**
 * Joins a graphql-ws protocol server to Bun's sockets. `extra` becomes the protocol's per-connection context; it
 * carries the socket, too, for frames that the caller writes itself.
 */
export function upgradeSocket<Extra extends { socket: BunSocket }>(
  request: Request,
  server: Server<unknown>,
  protocol: ProtocolServer<Extra>,
  extra: Omit<Extra, "socket">,
  watch?: SocketWatch,
  hold?: Hold,
): Response | undefined {
  // Bun would echo whatever the client offered first: check before the upgrade.
  if (!handleProtocols(request.headers.get("sec-websocket-protocol") ?? "")) {
    return new Response("The WebSocket subprotocol is graphql-transport-ws.\n", { status: 400 })
  }
  const data: SocketData = {
    hold,
    open(socket) {
      watch?.opened(socket)
      socket.data.closed = protocol.opened(
        {
          protocol: GRAPHQL_TRANSPORT_WS_PROTOCOL,
          send(frame) {
            sendFrame(socket, frame)
          },
          close: (code, reason) => closeSocket(socket, code, reason),
          onMessage(handle) {
            socket.data.handle = handle
          },
        },
        { ...extra, socket } as Extra,
      ) as SocketData["closed"]
    },
    message(socket, frame) {
      const text = String(frame)
      socket.data.frameSize = text.length
      socket.data
        .handle?.(text)
        .catch(() => closeSocket(socket, CLOSE.internalError, "Internal server error"))
    },
    drain(socket) {
      if (socket.data.isHeld) flush(socket)
      socket.data.drained?.()
    },
    close(socket, code, reason) {
      watch?.closed(socket, code)
      forget(socket.data)
      void socket.data.closed?.(code, reason)
    },
  }
  const upgraded = server.upgrade(request, {
    headers: { "sec-websocket-protocol": GRAPHQL_TRANSPORT_WS_PROTOCOL },
    data,
  })
  return upgraded ? undefined : new Response("That was no WebSocket handshake.\n", { status: 400 })
}
