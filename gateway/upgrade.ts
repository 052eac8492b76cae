import { type Hold, type SocketWatch, socketLimits, upgradeSocket } from "@parley/link/socket.ts"
import { ANSWER_BYTES } from "@parley/platform/limits.ts"
import { MAX_TOKEN_LENGTH } from "@parley/platform/tokens.ts"
import type { Server as BunServer } from "bun"
import type { Server } from "graphql-ws"
import { Client, type ClientOptions } from "./client.ts"
import { type CookieNames, copyOf, readCredentials, readUserAgent } from "./credentials.ts"
import {
  CLIENT_HELD_ANSWER_BYTES,
  CLIENT_HELD_EVENT_BYTES,
  CLIENT_QUEUED_BYTES,
  MAX_FRAME_BYTES,
} from "./limits.ts"
import { createPendingSockets } from "./pending-sockets.ts"
import { plain } from "./responses.ts"
import type { Extra } from "./socket.ts"

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
  /** `http:` or `https:`, that of PUBLIC_URL: a proxy that ends TLS may speak http to the gateway. */
  protocolOfPages: string
  cookies: CookieNames
  socket: ClientOptions
  watch?: SocketWatch
}) {
  const { protocol, origins, protocolOfPages, cookies, socket, watch } = options
  const pending = createPendingSockets()
  return (request: Request, server: BunServer<unknown>, address: string): Response | undefined => {
    const origin = request.headers.get("origin")
    if (origin !== null && !origins.has(origin) && !isOfHost(origin, protocolOfPages, request)) {
      return plain(403, "Connections from pages of another origin are not accepted.")
    }
    const acknowledged = pending.enter(address)
    if (!acknowledged) return plain(503, "Too many connections are being opened.", RETRY)
    const { token: given, device } = readCredentials(request.headers, cookies)
    const isToken = given !== undefined && given.length <= MAX_TOKEN_LENGTH
    const token = isToken ? copyOf(given) : undefined
    const userAgent = readUserAgent(request.headers)
    const client = new Client({ token, device, address, userAgent, acknowledged }, socket)
    const refused = upgradeSocket<Extra>(request, server, protocol, { client }, watch, HOLD)
    if (refused) acknowledged()
    return refused
  }
}

/**
 * Whether a page comes from where its socket goes, by any name of that place: the machine's address on its network, say,
 * or another gateway. Cookies go by the host too, so a foreign name that leads here comes without them. They do not go
 * by the scheme: a page of http may be another's than that of https under the same name.
 */
function isOfHost(origin: string, protocol: string, request: Request): boolean {
  const page = URL.parse(origin)
  return page?.protocol === protocol && page.host === hostOf(request, protocol)
}

/** The host that a request names, without a port that the scheme implies. */
function hostOf(request: Request, protocol: string): string | undefined {
  return URL.parse(`${protocol}//${request.headers.get("host")}`)?.host
}

/**
 * The origins that may open sockets at any host: that of PUBLIC_URL. On one's own machine both names of it count,
 * because a browser takes either.
 */
export function allowedOrigins(publicUrl: string): ReadonlySet<string> {
  const { origin, hostname, port, protocol } = new URL(publicUrl)
  if (protocol !== "http:" || !LOOPBACK.includes(hostname)) return new Set([origin])
  return new Set(LOOPBACK.map((name) => new URL(`http://${name}:${port || 80}`).origin))
}

/** Whether the pages of an installation come from the machine that its people sit at. */
export const isOwnMachine = (publicUrl: string) => LOOPBACK.includes(new URL(publicUrl).hostname)

const LOOPBACK = ["localhost", "127.0.0.1"]
