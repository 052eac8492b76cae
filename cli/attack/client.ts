import { Cookies } from "../../testing/cookies.ts"

/** How an operation was answered. */
export interface Reply<Data = Record<string, unknown>> {
  /** The HTTP status; 0 where there was no answer. */
  status: number
  data?: Data | null
  /** Of the first error; "LOST" where there was no answer, "HTTP" where the answer was no GraphQL. */
  code?: string
  message?: string
  field?: string
  retryAfterMs?: number
  /** Of the answer's text. */
  bytes: number
  /** From asking to the end of the answer, in ms. */
  took: number
}

export interface AskOptions {
  /** After so many ms without an answer it counts as lost. */
  within?: number
  /** Other than the account's own. */
  token?: string
  headers?: Record<string, string>
}

const GIVE_UP_AFTER = 10_000

/** The gateways trust the proxy of this suite (TRUSTED_PROXIES), so each client has an address of its own (RFC 1918). */
let addresses = 0
export function newAddress(): string {
  addresses += 1
  // Attackers and bystanders are processes of their own: each hands out other addresses.
  return `10.${process.pid % 250}.${(addresses >> 8) & 255}.${addresses & 255}`
}

/**
 * A browser with an address: keeps its cookies, asks over HTTP. Unlike the Person of testing/, it comes from an address of
 * its own, and measures each answer.
 */
export class Client {
  readonly cookies = new Cookies()

  constructor(
    readonly url: string,
    readonly address = newAddress(),
  ) {}

  get token(): string {
    return this.cookies.token
  }

  ask<Data = Record<string, unknown>>(
    query: string,
    variables: object = {},
    options: AskOptions = {},
  ): Promise<Reply<Data>> {
    return this.post<Data>(JSON.stringify({ query, variables }), options)
  }

  /** Posts a body as it is. Only loopback is spoken to. */
  async post<Data = Record<string, unknown>>(
    body: string | Uint8Array<ArrayBuffer>,
    { within = GIVE_UP_AFTER, token, headers = {} }: AskOptions = {},
  ): Promise<Reply<Data>> {
    const began = performance.now()
    try {
      const response = await fetch(`${this.url}/graphql`, {
        method: "POST",
        headers: {
          "content-type": "application/json",
          accept: "application/json",
          "x-forwarded-for": this.address,
          ...(token === undefined
            ? { cookie: this.cookies.header }
            : { authorization: `Bearer ${token}` }),
          ...headers,
        },
        body,
        signal: AbortSignal.timeout(within),
      })
      this.cookies.keep(response)
      const text = await response.text()
      const took = performance.now() - began
      return { status: response.status, bytes: text.length, took, ...read<Data>(text) }
    } catch (error) {
      const message = (error as Error).message
      return { status: 0, code: "LOST", message, bytes: 0, took: performance.now() - began }
    }
  }
}

/** Reads the text of an answer, as both transports carry it. */
export function read<Data>(text: string): Pick<Reply<Data>, "data" | "code" | "message"> {
  // What matters of a large answer is how large it is.
  if (text.length > 4_000_000) return { data: {} as Data }
  try {
    return readBody<Data>(JSON.parse(text))
  } catch {
    return { code: "HTTP", message: text.slice(0, 200) }
  }
}

export function readBody<Data>(body: unknown): Pick<Reply<Data>, "data" | "code" | "message"> {
  const { data, errors } = body as {
    data?: Data | null
    errors?: {
      message?: string
      extensions?: { code?: string; field?: string; retryAfterMs?: number }
    }[]
  }
  const [error] = errors ?? []
  if (!error) return { data }
  const { code = "NO_CODE", field, retryAfterMs } = error.extensions ?? {}
  return { data, code, message: error.message, ...{ field, retryAfterMs } }
}
