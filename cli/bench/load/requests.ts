import type { Signer } from "./tokens.ts"

export interface RequestRun {
  url: string
  headers: Record<string, string>
  query: string
  /** How many requests are under way at a time. */
  concurrency: number
}

/**
 * Sends one POST per token, so many at a time, and reads each answer.
 * @throws Error where an answer has errors or is no success.
 */
export async function sendRequests(
  { url, headers, query, concurrency }: RequestRun,
  tokens: readonly string[],
): Promise<{ operations: number; seconds: number }> {
  const body = JSON.stringify({ query })
  const common = {
    "content-type": "application/json",
    accept: "application/graphql-response+json, application/json",
    // Bun asks for compressed answers by itself. Neither chat nor the stock gateway packs any: the same is asked of all.
    "accept-encoding": "identity",
    ...headers,
  }
  let next = 0
  const worker = async () => {
    while (next < tokens.length) {
      const authorization = `Bearer ${tokens[next++]}`
      const request = { method: "POST", headers: { ...common, authorization }, body }
      const response = await fetch(url, request)
      const text = await response.text()
      if (!response.ok || !text.startsWith('{"data":{')) {
        throw new Error(`${url} answered ${response.status}: ${text.slice(0, 500)}`)
      }
    }
  }
  const began = performance.now()
  await Promise.all(Array.from({ length: concurrency }, worker))
  return { operations: tokens.length, seconds: (performance.now() - began) / 1_000 }
}

/** So many tokens, no two alike, of these users in turn. */
export const manyTokens = (sign: Signer, users: readonly string[], count: number): string[] =>
  Array.from({ length: count }, (_, index) => sign(users[index % users.length]!))
