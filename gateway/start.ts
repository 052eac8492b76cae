import { CLOSE } from "@parley/link/close-codes.ts"
import { failover } from "@parley/platform/failover.ts"
import { createLogger } from "@parley/platform/log.ts"
import { listenOr, type Running } from "@parley/platform/process.ts"
import { openTracer } from "@parley/platform/tracing.ts"
import type { Server } from "bun"
import { Elysia } from "elysia"
import { clientAddress } from "./addresses.ts"
import type { GatewayConfig } from "./config.ts"
import { createGateway, type GatewayOverrides } from "./context.ts"
import { gradually } from "./gradually.ts"
import { FINISH_WITHIN_MS, KEYS_WITHIN_MS, MAX_REQUEST_BYTES } from "./limits.ts"
import { createPlayground } from "./playground/playground.ts"
import { createProxy } from "./proxy.ts"
import { plain, SECURITY_HEADERS } from "./responses.ts"
import { GATEWAY_SOCKETS } from "./upgrade.ts"
import { ADDRESS_HEADER, createVisitors } from "./visitors.ts"

/** Starts the gateway. @throws ConfigError where its port cannot be used. */
export async function startGateway(
  config: GatewayConfig,
  overrides: GatewayOverrides = {},
): Promise<Running> {
  const log = overrides.log ?? createLogger("gateway", config.logLevel)
  const tracer =
    overrides.tracer ?? (await openTracer("gateway", config.observability?.traces, log))
  const gateway = createGateway(config, { ...overrides, log, tracer })
  const visitors = createVisitors(config.linkSecret)
  const proxy = config.webUrl
    ? createProxy(config.webUrl, config.publicUrl, visitors, log)
    : undefined
  const playground = createPlayground(log, config.playgroundDir)
  const keys = publicKeys(config.authUrls)
  const addressOf = (server: Server<unknown>, request: Request) =>
    visitors.read(request.headers.get(ADDRESS_HEADER)) ??
    clientAddress(
      server.requestIP(request)?.address ?? "",
      request.headers.get("x-forwarded-for"),
      config.trustedProxies,
    )
  let stopping = false
  const app = new Elysia({
    serve: { reusePort: false, maxRequestBodySize: MAX_REQUEST_BYTES },
    websocket: GATEWAY_SOCKETS,
  })
    .all(
      "/graphql",
      ({ request, server }) => {
        const address = addressOf(server as Server<unknown>, request)
        if (isUpgrade(request)) {
          if (stopping) return plain(503, "Parley is stopping.")
          return gateway.upgrade(request, server as Server<unknown>, address)
        }
        if (request.method === "POST") return gateway.http(request, address)
        if (request.method === "GET" && wantsPage(request)) return playground.page()
        return plain(405, "Send queries and mutations with POST.", { allow: "POST" })
      },
      { parse: "none" },
    )
    .get("/graphql/:asset", ({ params }) => playground.asset(params.asset))
    .get("/.well-known/jwks.json", () => keys())
    .get("/healthz", () => plain(200, "ok"))
    .get("/readyz", ({ request, server }) => {
      if (stopping) return plain(503, "stopping")
      const peer = (server as Server<unknown>).requestIP(request)?.address ?? ""
      return gateway.health.answer(request, peer)
    })
    .all(
      "*",
      ({ request, server }) => {
        if (isUpgrade(request)) return plain(400, "WebSockets are served at /graphql.")
        if (!proxy) return plain(404, "There is nothing here.")
        return proxy(request, addressOf(server as Server<unknown>, request))
      },
      { parse: "none" },
    )

  async function release(): Promise<void> {
    gateway[Symbol.dispose]()
    await tracer?.[Symbol.asyncDispose]()
  }
  await listenOr(release, () => app.listen({ port: config.port, hostname: config.host }))
  const server = app.server
  if (!server) throw new Error("The server did not start.")

  return {
    port: server.port ?? config.port,
    async stop() {
      stopping = true
      await gradually([...gateway.sessions.sockets()], (socket) =>
        socket.close(CLOSE.serviceRestart, "Parley is restarting: resume by position"),
      )
      await Promise.race([server.stop(), Bun.sleep(FINISH_WITHIN_MS)])
      await server.stop(true)
      await release()
    },
  }
}

/** The public keys, from auth, so that a service which checks the tokens needs to know one origin only. */
function publicKeys(authUrls: readonly string[]): () => Promise<Response> {
  const ofAuth = failover(authUrls, KEYS_WITHIN_MS)
  const read = (authUrl: string, signal: AbortSignal) =>
    fetch(new URL("/.well-known/jwks.json", authUrl), { signal }).then(async (response) => {
      if (!response.ok) throw new Error(`auth answered ${response.status}`)
      const headers = {
        ...SECURITY_HEADERS,
        "content-type": "application/jwk-set+json",
        "cache-control": response.headers.get("cache-control") ?? "no-cache",
      }
      return new Response(await response.text(), { headers })
    })
  return () =>
    ofAuth(read).catch(() =>
      plain(503, "The keys cannot be read just now.", { "retry-after": "1" }),
    )
}

const isUpgrade = (request: Request) =>
  request.headers.get("upgrade")?.toLowerCase() === "websocket"

const wantsPage = (request: Request) =>
  request.headers.get("accept")?.includes("text/html") ?? false
