import { SECRET_HEADER } from "@parley/link/protocol.ts"
import { secretCheck } from "@parley/link/subgraph.ts"
import { CHECK_WITHIN_MS, READINESS_KEPT_MS } from "./limits.ts"
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

export interface Health {
  /**
   * `/readyz` at the public door: yes or no, kept for READINESS_KEPT_MS, so that it costs the parts one check a second
   * however often it is asked for. Where the pages come from this machine itself, a request from it gets the details
   * too, and so does any that carries the link secret, as the launcher's do.
   * @param peer the IP address at the other end of the connection
   */
  answer(request: Request, peer: string): Promise<Response>
  /** The same in detail: 200 where of every part at least one process works, else 503, and why. */
  details(): Promise<Response>
}

interface Found {
  ready: boolean
  /** A sentence for each part that does not work. */
  reasons: Record<string, string>
  /** One for each of several processes of a part that does not work. */
  down: Record<string, string>
}

export function createHealth(options: {
  parts(): readonly Part[]
  secret: string
  /** Whether the pages come from the machine that people sit at. */
  ownMachine: boolean
  now(): number
}): Health {
  const { parts, ownMachine, now } = options
  const isOurs = secretCheck(options.secret)
  let underWay: Promise<Found> | undefined
  let kept: { found: Found; at: number } | undefined

  function look(): Promise<Found> {
    underWay ??= findOut(parts()).finally(() => {
      underWay = undefined
    })
    return underWay
  }

  async function lately(): Promise<Found> {
    if (kept && now() - kept.at < READINESS_KEPT_MS) return kept.found
    const found = await look()
    kept = { found, at: now() }
    return found
  }

  function mayKnow(request: Request, peer: string): boolean {
    const secret = request.headers.get(SECRET_HEADER)
    if (secret !== null) return isOurs(secret)
    return ownMachine && isLoopback(peer) && !request.headers.has("x-forwarded-for")
  }

  const details = async () => respond(await look(), true)
  return {
    details,
    async answer(request, peer) {
      return mayKnow(request, peer) ? details() : respond(await lately(), false)
    },
  }
}

const isLoopback = (peer: string) => /^(127\.|::1$|::ffff:127\.)/.test(peer)

function respond({ ready, reasons, down }: Found, inDetail: boolean): Response {
  const detail = { reasons, ...(Object.keys(down).length > 0 ? { down } : {}) }
  return Response.json(
    { ready, ...(inDetail ? detail : {}) },
    { status: ready ? 200 : 503, headers: { ...SECURITY_HEADERS, "cache-control": "no-store" } },
  )
}

async function findOut(parts: readonly Part[]): Promise<Found> {
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
  return { ready: Object.keys(reasons).length === 0, reasons, down }
}

async function whyNot({ check, linked = true }: Process): Promise<string | undefined> {
  try {
    const response = await fetch(check, {
      redirect: "manual",
      signal: AbortSignal.timeout(CHECK_WITHIN_MS),
    })
    const text = response.status < 400 ? "" : await response.text()
    if (response.status < 400) await response.body?.cancel()
    else {
      return text.trim().slice(0, 200) || `it answers ${response.status}`
    }
    return linked ? undefined : "the link to it is down"
  } catch {
    return "it cannot be reached"
  }
}
