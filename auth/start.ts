import { watchSockets } from "@parley/link/socket-metrics.ts"
import { createSubgraph } from "@parley/link/subgraph.ts"
import { listenOr, type Running } from "@parley/platform/process.ts"
import type { AuthConfig } from "./config.ts"
import { type AuthOverrides, createAuthContext } from "./context.ts"
import { createInFlight } from "./graphql/in-flight.ts"
import { createOperations } from "./graphql/operation.ts"
import { createAuthSchema } from "./graphql/schema.ts"
import { routes } from "./routes.ts"

const PRUNE_EVERY_MS = 10 * 60 * 1000
/** What a stop waits for work in flight: more than a full queue of passwords takes. */
const FINISH_WITHIN_MS = 6_000

/**
 * Starts the auth service.
 * @throws ConfigError where DATA_DIR, MONGODB_URL, the keys or PORT cannot be used.
 */
export async function startAuth(
  config: AuthConfig,
  overrides: AuthOverrides = {},
): Promise<Running> {
  const auth = await createAuthContext(config, overrides)
  const inFlight = createInFlight()
  const app = createSubgraph({
    schema: createAuthSchema(inFlight),
    secret: config.linkSecret,
    tokens: auth.tokens,
    log: auth.log,
    tracer: auth.tracer,
    watch: auth.metrics && watchSockets(auth.metrics, "parley_auth", "gateways"),
    context: createOperations(auth),
    ready: auth.ready,
    answerBytes: config.answerBytes,
  }).use(routes(auth))
  const release = () => auth[Symbol.asyncDispose]()
  await listenOr(release, () => app.listen({ port: config.port, hostname: config.host }))
  const server = app.server
  if (!server) throw new Error("The server did not start.")

  const prune = () => auth.prune().catch((error) => auth.log.warn("pruning failed", { error }))
  const pruning = setInterval(prune, PRUNE_EVERY_MS)
  await prune()

  return {
    port: server.port ?? config.port,
    async stop() {
      clearInterval(pruning)
      // No new connections; those that are there stay until what they asked for is answered. A connection that a
      // gateway keeps open never ends by itself, so the wait is for the work and not for the connections.
      void server.stop()
      const deadline = performance.now() + FINISH_WITHIN_MS
      do await Bun.sleep(5)
      while ((inFlight.count > 0 || server.pendingRequests > 0) && performance.now() < deadline)
      await server.stop(true)
      await auth[Symbol.asyncDispose]()
    },
  }
}
