import { SECURITY_HEADERS } from "./responses.ts"

export interface Part {
  name: string
  /** Answers with 2xx once the part can do its work, else with the reason as text. */
  url: string
}

const WITHIN_MS = 2_000

/** `/readyz`: 200 where every part answers, else 503; as JSON, with the reason for each that does not. */
export async function readiness(parts: readonly Part[], own: () => string[]): Promise<Response> {
  const failed = (await Promise.all(parts.map(check))).filter((reason) => reason !== undefined)
  const reasons = Object.fromEntries([
    ...failed,
    ...own().map((name) => [name, "the link to it is down"] as const),
  ])
  const ready = Object.keys(reasons).length === 0
  return Response.json(
    { ready, reasons },
    { status: ready ? 200 : 503, headers: { ...SECURITY_HEADERS, "cache-control": "no-store" } },
  )
}

async function check({ name, url }: Part): Promise<readonly [string, string] | undefined> {
  try {
    const response = await fetch(url, {
      redirect: "manual",
      signal: AbortSignal.timeout(WITHIN_MS),
    })
    const text = await response.text()
    if (response.status < 400) return undefined
    return [name, text.trim().slice(0, 200) || `it answers ${response.status}`]
  } catch {
    return [name, "it cannot be reached"]
  }
}
