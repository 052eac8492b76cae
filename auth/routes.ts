import { gatewayOnly } from "@parley/link/subgraph.ts"
import { isUnavailable } from "@parley/platform/errors.ts"
import { Elysia } from "elysia"
import * as v from "valibot"
import type { AuthContext } from "./context.ts"
import { MAX_SESSIONS_ASKED } from "./limits.ts"

const Asked = v.object({
  ids: v.pipe(v.array(v.pipe(v.string(), v.maxLength(64))), v.maxLength(MAX_SESSIONS_ASKED)),
})

/** What auth serves beside GraphQL: its public keys, and to the gateway the sessions that have ended, as they end and by name. */
export function routes(auth: AuthContext) {
  const refuse = gatewayOnly(auth.config.linkSecret)

  return (
    new Elysia()
      // A store that is away is no fault of ours: the caller should ask again, or another process.
      .onError(({ error }) => {
        if (!isUnavailable(error)) return undefined
        return new Response(`${error.message}\n`, { status: 503, headers: { "retry-after": "1" } })
      })
      .get("/.well-known/jwks.json", async () => {
        const headers = {
          "content-type": "application/jwk-set+json",
          // A key is published a month before it signs, so caches cannot be too old.
          "cache-control": "public, max-age=300",
        }
        return new Response(JSON.stringify(await auth.keys.published()), { headers })
      })
      .get("/internal/ended-sessions", async ({ request, query }) => {
        const refused = refuse(request)
        if (refused) return refused
        const after = Number(query.after ?? "0")
        if (!Number.isSafeInteger(after) || after < 0) {
          return new Response("after must be a time in ms since the epoch.\n", { status: 400 })
        }
        return Response.json(await auth.sessions.endedSince(after))
      })
      .post(
        "/internal/sessions",
        async ({ request }) => {
          const refused = refuse(request)
          if (refused) return refused
          const asked = v.safeParse(Asked, await request.json().catch(() => undefined))
          if (!asked.success) {
            return new Response(`ids must be at most ${MAX_SESSIONS_ASKED} ids.\n`, { status: 400 })
          }
          return Response.json({ ended: await auth.sessions.endedOf(asked.output.ids) })
        },
        { parse: "none" },
      )
  )
}
