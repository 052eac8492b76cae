import { type SocketWatch, socketLimits, upgradeSocket } from "@parley/service/socket.ts"
import type { Server as BunServer } from "bun"
import type { Server } from "graphql-ws"
import { type CookieNames, readCredentials } from "./credentials.ts"
import { MAX_FRAME_BYTES, MAX_QUEUED_BYTES } from "./limits.ts"
import { plain } from "./responses.ts"
import { Client, type Extra, type SocketOptions } from "./socket.ts"

export const GATEWAY_SOCKETS = socketLimits({
  maxFrameBytes: MAX_FRAME_BYTES,
  maxQueuedBytes: MAX_QUEUED_BYTES,
})

/** Lets browsers of our own origin, and clients that are no browsers, open a socket. */
export function createUpgrade(options: {
  protocol: Server<Extra>
  origins: ReadonlySet<string>
  /** `http:` or `https:`, that of PUBLIC_URL: a proxy that ends TLS may speak http to the gateway. */
  protocolOfPages: string
  cookies: CookieNames
  socket: Pick<SocketOptions, "clock" | "requestId">
  watch?: SocketWatch
}) {
  const { protocol, origins, protocolOfPages, cookies, socket, watch } = options
  return (request: Request, server: BunServer<unknown>, address: string): Response | undefined => {
    const origin = request.headers.get("origin")
    if (origin !== null && !origins.has(origin) && !isOfHost(origin, protocolOfPages, request)) {
      return plain(403, "Connections from pages of another origin are not accepted.")
    }
    const { token } = readCredentials(request.headers, cookies)
    const userAgent = request.headers.get("user-agent") ?? ""
    const client = new Client(token, address, userAgent, socket)
    return upgradeSocket<Extra>(request, server, protocol, { client }, watch)
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
