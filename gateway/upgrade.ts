import { ANSWER_BYTES } from "@parley/service/limits.ts"
import { type Hold, type SocketWatch, socketLimits, upgradeSocket } from "@parley/service/socket.ts"
import type { Server as BunServer } from "bun"
import type { Server } from "graphql-ws"
import { type CookieNames, readCredentials } from "./credentials.ts"
import { CLIENT_HELD_ANSWER_BYTES, CLIENT_HELD_EVENT_BYTES, CLIENT_QUEUED_BYTES } from "./limits.ts"
import { createPendingSockets } from "./pending-sockets.ts"
import { plain } from "./responses.ts"
import { Client, type Extra, type SocketOptions } from "./socket.ts"

/** In bytes. A longer frame closes the connection with 1009: Bun does so itself. */
const MAX_FRAME_BYTES = 256 * 1024

export const GATEWAY_SOCKETS = socketLimits({
  maxFrameBytes: MAX_FRAME_BYTES,
  // Never reached: what follows one longest answer is held, and bounded, before it gets here.
  maxQueuedBytes: 2 * CLIENT_QUEUED_BYTES + ANSWER_BYTES,
})
/** What may wait for a client that reads slowly. Beyond it the connection ends, and its client resumes by position. */
const HOLD: Hold = {
  after: CLIENT_QUEUED_BYTES,
  events: CLIENT_HELD_EVENT_BYTES,
  answers: CLIENT_HELD_ANSWER_BYTES,
}

const RETRY = { "retry-after": "1" }

/** Lets browsers of our own origin, and clients that are no browsers, open a socket. */
export function createUpgrade(options: {
  protocol: Server<Extra>
  origins: ReadonlySet<string>
  cookies: CookieNames
  socket: Pick<SocketOptions, "clock" | "requestId">
  watch?: SocketWatch
}) {
  const { protocol, origins, cookies, socket, watch } = options
  const pending = createPendingSockets()
  return (request: Request, server: BunServer<unknown>, address: string): Response | undefined => {
    const origin = request.headers.get("origin")
    if (origin !== null && !origins.has(origin) && !isOfHost(origin, request)) {
      return plain(403, "Connections from pages of another origin are not accepted.")
    }
    const acknowledged = pending.enter(address)
    if (!acknowledged) return plain(503, "Too many connections are being opened.", RETRY)
    const { token, device } = readCredentials(request.headers, cookies)
    const userAgent = request.headers.get("user-agent") ?? ""
    const client = new Client({ token, device, address, userAgent, acknowledged }, socket)
    const refused = upgradeSocket<Extra>(request, server, protocol, { client }, watch, HOLD)
    if (refused) acknowledged()
    return refused
  }
}

/**
 * Whether a page comes from where its socket goes, by whatever name that is: the machine's address on its network, say,
 * or another gateway. Cookies go by the host too, so a name that somebody points here has nobody's.
 */
function isOfHost(origin: string, request: Request): boolean {
  return URL.parse(origin)?.host === request.headers.get("host")
}

/**
 * The origins that may open sockets at any host: that of PUBLIC_URL. On one's own machine both names of it count,
 * because a browser takes either.
 */
export function allowedOrigins(publicUrl: string): ReadonlySet<string> {
  const { origin, hostname, port, protocol } = new URL(publicUrl)
  const own = ["localhost", "127.0.0.1"]
  if (protocol !== "http:" || !own.includes(hostname)) return new Set([origin])
  return new Set(own.map((name) => new URL(`http://${name}:${port || 80}`).origin))
}
