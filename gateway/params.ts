import { badInput, ParleyError } from "@parley/service/errors.ts"

/** The parameters of a GraphQL request (GraphQL over HTTP §5.1), their shapes checked. */
export interface Params {
  query: string
  operationName: string | undefined
  variables: Record<string, unknown>
  extensions: Record<string, unknown>
}

/**
 * Reads a request's body, of up to `limit` bytes.
 * @throws ParleyError TOO_LARGE or BAD_INPUT
 */
export async function readParams(request: Request, limit: number): Promise<Params> {
  const text = await readBody(request, limit)
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
