import type { Server, ServerWebSocket } from "bun"
import {
  GRAPHQL_TRANSPORT_WS_PROTOCOL,
  handleProtocols,
  type Server as ProtocolServer,
} from "graphql-ws"

/** What Bun keeps per socket: where its frames go, set once by the protocol server. */
export interface SocketData {
  open(socket: BunSocket): void
  message(socket: BunSocket, frame: string | Buffer): void
  close(socket: BunSocket, code: number, reason: string): void
  handle?: (frame: string) => Promise<void>
  closed?: (code: number, reason: string) => Promise<void>
  /** Frames of this turn of the event loop that have not been written yet. */
  unsent?: string[]
  /** About the bytes of these. */
  unsentBytes?: number
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

/**
 * Sends a frame together with the others that this turn of the event loop has for the socket: an operation's `next`
 * and `complete`, and the events around them, cost one write and not one each. Every frame of a socket goes this way,
 * or it would overtake those that wait. False where the connection is gone.
 */
export function sendFrame(socket: BunSocket, frame: string): boolean {
  const { data } = socket
  if (data.unsent) {
    data.unsent.push(frame)
    data.unsentBytes! += frame.length
    return true
  }
  if (socket.readyState !== WebSocket.OPEN) return false
  data.unsent = [frame]
  data.unsentBytes = frame.length
  if (unflushed.push(socket) === 1) setImmediate(flushAll)
  return true
}

/** Bytes that the other end has not taken yet: those that have not been written, and those that wait to be read. */
export const waitingBytes = (socket: BunSocket): number =>
  (socket.data.unsentBytes ?? 0) + socket.getBufferedAmount()

/** Closes a connection after the frames that were sent before. */
export function closeSocket(socket: BunSocket, code?: number, reason?: string): void {
  flush(socket)
  socket.close(code, reason)
}

function flushAll(): void {
  const sockets = unflushed
  unflushed = []
  for (const socket of sockets) flush(socket)
}

function flush(socket: BunSocket): void {
  const frames = socket.data.unsent
  if (!frames) return
  socket.data.unsent = undefined
  socket.data.unsentBytes = 0
  if (frames.length === 1) {
    socket.sendText(frames[0]!)
    return
  }
  socket.cork(() => {
    for (const frame of frames) socket.sendText(frame)
  })
}

/**
 * Joins a graphql-ws protocol server to Bun's sockets. `extra` becomes the protocol's per-connection context; whoever
 * makes it also gets the socket, for frames that it writes itself.
 */
export function upgradeSocket<Extra extends { socket: BunSocket }>(
  request: Request,
  server: Server<unknown>,
  protocol: ProtocolServer<Extra>,
  extra: Omit<Extra, "socket">,
  watch?: SocketWatch,
): Response | undefined {
  // Bun would echo whatever the client offered first: check before the upgrade.
  if (!handleProtocols(request.headers.get("sec-websocket-protocol") ?? "")) {
    return new Response("The WebSocket subprotocol is graphql-transport-ws.\n", { status: 400 })
  }
  const data: SocketData = {
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
      socket.data
        .handle?.(String(frame))
        .catch(() => closeSocket(socket, 4500, "Internal server error"))
    },
    close(socket, code, reason) {
      watch?.closed(socket, code)
      void socket.data.closed?.(code, reason)
    },
  }
  const upgraded = server.upgrade(request, {
    headers: { "sec-websocket-protocol": GRAPHQL_TRANSPORT_WS_PROTOCOL },
    data,
  })
  return upgraded ? undefined : new Response("That was no WebSocket handshake.\n", { status: 400 })
}
