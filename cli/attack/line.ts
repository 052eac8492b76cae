import { Socket, type SocketOptions } from "../../testing/socket.ts"
import { type Reply, readBody } from "./client.ts"

/** A socket from an address of its own. */
export type Line = Socket

export interface LineOptions extends Pick<SocketOptions, "url" | "token" | "onClosed"> {
  address: string
  /** The connection's cookies, as a browser sends them. */
  cookies?: string
}

/** Resolves once operations may be sent. @throws Error with the close code where it does not come to that. */
export async function openLine({ address, cookies, ...options }: LineOptions): Promise<Line> {
  const headers = { "x-forwarded-for": address, ...(cookies ? { cookie: cookies } : {}) }
  const line = new Socket({ ...options, headers })
  await line.ready
  return line
}

/** Asks over a socket; the reply is as the one over HTTP. */
export async function askOver<Data = Record<string, unknown>>(
  line: Line,
  query: string,
  variables: object = {},
  within?: number,
): Promise<Reply<Data>> {
  const began = performance.now()
  const answer = await line.ask(query, variables, { within })
  const measured = { bytes: 0, took: performance.now() - began }
  if ("lost" in answer) return { ...measured, status: 0, code: "LOST", message: answer.lost }
  return { ...measured, status: 200, ...readBody<Data>(answer.body) }
}

/** The code of the first error in the payload of an `error` frame. */
export const codeIn = (why: string): string | undefined => /"code":"([A-Z_]+)"/.exec(why)?.[1]
