import { addressGroup } from "@parley/platform/address-group.ts"
import { badInput, ParleyError, unavailable } from "@parley/platform/errors.ts"
import { MAX_BODIES, MAX_BODIES_PER_ADDRESS, MAX_BODY_BYTES, SMALL_BODY_BYTES } from "./limits.ts"

/** The parameters of a GraphQL request (GraphQL over HTTP §5.1), their shapes checked. */
export interface Params {
  query: string
  operationName: string | undefined
  variables: Record<string, unknown>
  extensions: Record<string, unknown>
}

export interface Bodies {
  /**
   * Reads a request's body, of up to MAX_BODY_BYTES.
   * @throws ParleyError TOO_LARGE; RATE_LIMITED or UNAVAILABLE where too many long ones are being read
   */
  read(request: Request, address: string): Promise<string>
}

/** Counts the long bodies that are on their way: a client that never ends one holds what it has sent. */
export function createBodies(): Bodies {
  const perAddress = new Map<string, number>()
  let all = 0

  function count(group: string, by: number): void {
    const now = (perAddress.get(group) ?? 0) + by
    if (now === 0) perAddress.delete(group)
    else perAddress.set(group, now)
    all += by
  }

  return {
    async read(request, address) {
      if (isSmall(request)) return readBody(request, MAX_BODY_BYTES)
      const group = addressGroup(address)
      if ((perAddress.get(group) ?? 0) >= MAX_BODIES_PER_ADDRESS) throw tooMany()
      if (all >= MAX_BODIES) throw unavailable("Too much is on its way just now.")
      count(group, 1)
      try {
        return await readBody(request, MAX_BODY_BYTES)
      } finally {
        count(group, -1)
      }
    },
  }
}

/** A body that is sent in chunks may have any length. */
function isSmall(request: Request): boolean {
  const length = request.headers.get("content-length")
  return !request.body || (length !== null && Number(length) <= SMALL_BODY_BYTES)
}

const tooMany = () =>
  new ParleyError("RATE_LIMITED", "Too many long requests at once.", { retryAfterMs: 1_000 })

/** @throws ParleyError BAD_INPUT */
export function parseParams(text: string): Params {
  let body: unknown
  try {
    body = JSON.parse(text)
  } catch {
    throw badInput("body", "The body is not JSON.")
  }
  if (Array.isArray(body)) throw badInput("body", "Send one operation at a time, not a batch.")
  return checkParams(body)
}

/** @throws ParleyError BAD_INPUT */
export function checkParams(body: unknown): Params {
  if (!isRecord(body)) throw badInput("body", "The body is not a JSON object.")
  const { query, operationName, variables, extensions } = body
  if (typeof query !== "string") throw badInput("query", "query is missing or not a string.")
  if (operationName != null && typeof operationName !== "string") {
    throw badInput("operationName", "operationName is not a string.")
  }
  if (variables != null && !isRecord(variables)) {
    throw badInput("variables", "variables is not an object.")
  }
  if (extensions != null && !isRecord(extensions)) {
    throw badInput("extensions", "extensions is not an object.")
  }
  return {
    query,
    operationName: operationName ?? undefined,
    variables: variables ?? {},
    extensions: extensions ?? {},
  }
}

async function readBody(request: Request, limit: number): Promise<string> {
  const length = request.headers.get("content-length")
  if (Number(length) > limit) throw tooLarge(limit)
  if (length !== null || !request.body) return request.text()
  // Sent in chunks, its length is known at its end only.
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of request.body) {
    size += chunk.byteLength
    if (size > limit) throw tooLarge(limit)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString("utf8")
}

const tooLarge = (limit: number) =>
  new ParleyError("TOO_LARGE", `A request may have ${limit / 1024} KiB.`)

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value)
