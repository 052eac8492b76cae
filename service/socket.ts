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

/**
 * Joins a graphql-ws protocol server to Bun's sockets. `extra` becomes the protocol's per-connection context; whoever
 * makes it also gets the socket, for frames that it writes itself.
 */
export function upgradeSocket<Extra extends { socket: BunSocket }>(
  request: Request,
  server: Server<unknown>,
  protocol: ProtocolServer<Extra>,
  extra: Omit<Extra, "socket">,
): Response | undefined {
  // Bun would echo whatever the client offered first: check before the upgrade.
  if (!handleProtocols(request.headers.get("sec-websocket-protocol") ?? "")) {
    return new Response("The WebSocket subprotocol is graphql-transport-ws.\n", { status: 400 })
  }
  const data: SocketData = {
    open(socket) {
      socket.data.closed = protocol.opened(
        {
          protocol: GRAPHQL_TRANSPORT_WS_PROTOCOL,
          send(frame) {
            socket.sendText(frame)
          },
          close: (code, reason) => socket.close(code, reason),
          onMessage(handle) {
            socket.data.handle = handle
          },
        },
        { ...extra, socket } as Extra,
      ) as SocketData["closed"]
    },
    message(socket, frame) {
      socket.data.handle?.(String(frame)).catch(() => socket.close(4500, "Internal server error"))
    },
    close(socket, code, reason) {
      void socket.data.closed?.(code, reason)
    },
  }
  const upgraded = server.upgrade(request, {
    headers: { "sec-websocket-protocol": GRAPHQL_TRANSPORT_WS_PROTOCOL },
    data,
  })
  return upgraded ? undefined : new Response("That was no WebSocket handshake.\n", { status: 400 })
}
