/**
 * The login session as the browser sees it. The cookies are out of its sight; all it can do is to have them renewed,
 * once for all tabs, and to leave when that is refused.
 */

const RENEWED_AT = "parley.renewedAt"
/** Another tab's renewal that is younger than this counts as ours. */
const FRESH_MS = 5_000
const TIMEOUT_MS = 8_000

export type Renewal = "renewed" | "refused" | "unreachable"

let running: Promise<Renewal> | undefined

/** Renews the session, once for all tabs and all that ask at the same time. */
export function renewSession(): Promise<Renewal> {
  running ??= alone(renewUnlessFresh).finally(() => {
    running = undefined
  })
  return running
}

/** Web Locks exist in secure contexts only; elsewhere the server bears two tabs that renew at the same moment. */
const alone = (work: () => Promise<Renewal>): Promise<Renewal> =>
  navigator.locks ? navigator.locks.request("parley-renew", work) : work()

async function renewUnlessFresh(): Promise<Renewal> {
  const last = Number(localStorage.getItem(RENEWED_AT) ?? 0)
  if (Math.abs(Date.now() - last) < FRESH_MS) return "renewed"
  try {
    const response = await fetch("/graphql", {
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/graphql-response+json" },
      body: '{"query":"mutation RefreshSession { refreshSession { id } }"}',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    })
    const result = (await response.json()) as RefreshResult
    if (result.data?.refreshSession) {
      localStorage.setItem(RENEWED_AT, String(Date.now()))
      return "renewed"
    }
    const refused = result.errors?.some(({ extensions }) => extensions?.code === "UNAUTHENTICATED")
    return refused ? "refused" : "unreachable"
  } catch {
    return "unreachable"
  }
}

interface RefreshResult {
  data?: { refreshSession?: { id: string } | null } | null
  errors?: { extensions?: { code?: string } }[]
}

/** Leaves the app. A full load, so that nothing of the signed-in person stays in memory. */
export function goToSignIn(): void {
  if (location.pathname !== "/sign-in") location.assign("/sign-in")
}
