import type { Logger } from "@parley/platform/log.ts"
import { MAX_PROXIED_BODIES, MAX_PROXIED_BODY_BYTES } from "./limits.ts"
import { plain } from "./responses.ts"
import { ADDRESS_HEADER, type Visitors } from "./visitors.ts"

/** Meant for one connection only (RFC 9110 §7.6.1). */
const HOP_BY_HOP = [
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]

export type Proxy = (request: Request, address: string) => Promise<Response>

/**
 * Sends requests on to the web app and its answers back, both as streams. The web app learns from `x-forwarded-*` who
 * asks and how; what a client says there itself is dropped.
 */
export function createProxy(
  webUrl: string,
  publicUrl: string,
  visitors: Visitors,
  log: Logger,
): Proxy {
  const target = new URL(webUrl).origin
  const { protocol } = new URL(publicUrl)

  let bodies = 0

  return async (request, address) => {
    let body: Uint8Array<ArrayBuffer> | undefined
    if (request.body) {
      if (Number(request.headers.get("content-length")) > MAX_PROXIED_BODY_BYTES) return tooLarge()
      if (bodies >= MAX_PROXIED_BODIES) {
        return plain(503, "Too much is on its way just now.", { "retry-after": "1" })
      }
      bodies++
      try {
        // Read before it goes on: a client that sends slowly keeps a few bytes here, and nothing of the web app.
        body = await readUpTo(MAX_PROXIED_BODY_BYTES, request.body)
      } catch {
        return plain(400, "The request ended before its body did.")
      } finally {
        bodies--
      }
      if (!body) return tooLarge()
    }
    const { pathname, search } = new URL(request.url)
    const headers = passedOn(request.headers)
    for (const name of [...headers.keys()]) {
      if (name.startsWith("x-forwarded-") || name.startsWith("x-parley-")) headers.delete(name)
    }
    headers.set("x-forwarded-for", address)
    headers.set(ADDRESS_HEADER, visitors.sign(address))
    headers.set("x-forwarded-proto", protocol.slice(0, -1))
    headers.set("x-forwarded-host", request.headers.get("host") ?? "")
    try {
      const response = await fetch(`${target}${pathname}${search}`, {
        method: request.method,
        headers,
        body,
        redirect: "manual",
        // The browser gets the bytes as the web app compressed them.
        decompress: false,
        signal: request.signal,
      })
      return new Response(response.body, {
        status: response.status,
        statusText: response.statusText,
        headers: passedOn(response.headers),
      })
    } catch (error) {
      if (!request.signal.aborted) log.warn("web unreachable", { error })
      return isPage(request) ? badGateway() : plain(502, "The web app cannot be reached just now.")
    }
  }
}

/** A body of up to so many bytes; undefined where it has more, and no more than that is read. */
async function readUpTo(
  limit: number,
  body: ReadableStream<Uint8Array>,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of body) {
    size += chunk.byteLength
    if (size > limit) return undefined
    chunks.push(chunk)
  }
  return new Uint8Array(Buffer.concat(chunks))
}

const tooLarge = () =>
  plain(413, `A request to a page may have ${MAX_PROXIED_BODY_BYTES / 1024} KiB.`, {
    connection: "close",
  })

function passedOn(given: Headers): Headers {
  const headers = new Headers(given)
  for (const name of given.get("connection")?.split(",") ?? []) {
    if (/^[\w-]+$/.test(name.trim())) headers.delete(name.trim())
  }
  for (const name of HOP_BY_HOP) headers.delete(name)
  return headers
}

const isPage = (request: Request) => request.headers.get("accept")?.includes("text/html") ?? false

/** Tries again by itself: the web app is usually back within seconds. */
const badGateway = () =>
  plain(502, BAD_GATEWAY, { "content-type": "text/html; charset=utf-8", refresh: "3" })

const BAD_GATEWAY = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Parley is starting</title>
<h1>One moment, please</h1>
<p>This part of Parley cannot be reached just now. The page tries again by itself every 3 seconds.</p>
</html>`
