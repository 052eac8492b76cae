import { SECURITY_HEADERS } from "./responses.ts"

/** What the gateway needs: one of these has to work. */
export interface Part {
  name: string
  processes: readonly Process[]
}

export interface Process {
  url: string
  /** Answers with 2xx once the process can do its work, else with the reason as text. */
  check: string
  /** False where the link to it is down. */
  linked?: boolean
}

/** Longer than a process takes to find that its store does not answer, and to say so. */
const WITHIN_MS = 3_000

/**
 * `/readyz`: 200 where of every part at least one process works, else 503; as JSON. `reasons` has a sentence for each
 * part that does not work, `down` one for each of several processes of a part that does not.
 */
export async function readiness(parts: readonly Part[]): Promise<Response> {
  const reasons: Record<string, string> = {}
  const down: Record<string, string> = {}
  const check = async ({ name, processes }: Part) => {
    const found = await Promise.all(processes.map(whyNot))
    processes.forEach(({ url }, index) => {
      const reason = found[index]
      if (processes.length > 1 && reason !== undefined) down[url] = reason
    })
    if (found.every((reason) => reason !== undefined)) {
      reasons[name] = [...new Set(found)].join("; ") || "there is none"
    }
  }
  await Promise.all(parts.map(check))
  const ready = Object.keys(reasons).length === 0
  return Response.json(
    { ready, reasons, ...(Object.keys(down).length > 0 ? { down } : {}) },
    { status: ready ? 200 : 503, headers: { ...SECURITY_HEADERS, "cache-control": "no-store" } },
  )
}

async function whyNot({ check, linked = true }: Process): Promise<string | undefined> {
  try {
    const response = await fetch(check, {
      redirect: "manual",
      signal: AbortSignal.timeout(WITHIN_MS),
    })
    const text = await response.text()
    if (response.status >= 400) {
      return text.trim().slice(0, 200) || `it answers ${response.status}`
    }
    return linked ? undefined : "the link to it is down"
  } catch {
    return "it cannot be reached"
  }
}
