import type { Attack, Variant } from "../attack.ts"
import { flood, Tally } from "../flood.ts"

const LARGE = 60 * 2 ** 20
const post = async (
  url: string,
  path: string,
  bytes: number,
  headers: Record<string, string>,
  tally: Tally,
) => {
  try {
    const response = await fetch(`${url}${path}`, {
      method: "POST",
      headers: { "x-forwarded-for": "10.1.2.3", ...headers },
      body: new Uint8Array(bytes),
      redirect: "manual",
      signal: AbortSignal.timeout(10_000),
    })
    await response.arrayBuffer()
    tally.count(String(response.status))
    tally.expect(
      response.status >= 400,
      `a body of ${bytes >> 20} MiB to ${path} was answered ${response.status}`,
    )
  } catch {
    tally.count("refused")
  }
}

const variant = (
  name: string,
  path: string,
  headers: Record<string, string>,
  bytes = LARGE,
): Variant => ({
  name,
  async run({ urls, lasts }) {
    const tally = new Tally()
    await flood({ lasts, atOnce: 8, atMost: 48 }, () => post(urls[0]!, path, bytes, headers, tally))
    return tally
  },
})

/** The length is not said before: the body comes in pieces. */
const chunked: Variant = {
  name: "in pieces without a length",
  async run({ urls, lasts }) {
    const tally = new Tally()
    await flood({ lasts, atOnce: 8, atMost: 32 }, async () => {
      let left = LARGE
      const body = new ReadableStream({
        pull(controller) {
          left -= 65_536
          if (left <= 0) controller.close()
          else controller.enqueue(new Uint8Array(65_536))
        },
      })
      try {
        const init = {
          method: "POST",
          headers: { "next-action": "x" },
          body,
          duplex: "half",
          signal: AbortSignal.timeout(10_000),
        }
        const response = await fetch(`${urls[0]}/`, init as RequestInit)
        await response.arrayBuffer()
        tally.count(String(response.status))
      } catch {
        tally.count("refused")
      }
    })
    return tally
  },
}

export const bodies: Attack = {
  name: "bodies",
  by: "stranger",
  with: "bodies of 60 MB to pages and to `/graphql`, 8 at a time",
  expected: "413 from the gateway before it has come whole: nothing is buffered",
  variants: [
    variant("to a server action", "/", {
      "next-action": "0".repeat(40),
      "content-type": "text/plain",
    }),
    variant("to /graphql", "/graphql", { "content-type": "application/json" }),
    variant("as a form", "/sign-in", { "content-type": "multipart/form-data; boundary=x" }),
    chunked,
  ],
}
