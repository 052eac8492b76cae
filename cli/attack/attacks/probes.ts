import type { Attack, Variant } from "../attack.ts"
import { Client } from "../client.ts"
import { flood, Tally } from "../flood.ts"
import { openLine } from "../line.ts"
import { createGroup, signUp } from "../people.ts"

const PER_SECOND = 200
const get = (path: string, perSecond = PER_SECOND): Variant => ({
  name: path,
  async run({ urls, lasts }) {
    const tally = new Tally()
    await flood({ lasts, atOnce: 32, perSecond }, async () => {
      try {
        const response = await fetch(`${urls[0]}${path}`, { signal: AbortSignal.timeout(10_000) })
        const text = await response.text()
        tally.count(String(response.status))
        if (path === "/readyz")
          tally.expect(!/127\.0\.0\.1|http:/.test(text), "/readyz names inner addresses")
      } catch {
        tally.count("LOST")
      }
    })
    return tally
  },
})

/** What answered INTERNAL once, and what must not be said. */
const small: Variant = {
  name: "odd documents",
  async run({ urls }) {
    const tally = new Tally()
    const owner = await signUp(urls[0]!)
    const id = await createGroup(owner, [])
    const odd = [
      `{ conversation(id: "${id}") { me { user { __typename: username name } } } }`,
      `{ conversation(id: "${id}") { id: __typename __typename: id } }`,
      "{ __typename: me { id } }",
      "{ me { id: username username: id } }",
      `{ conversation(id: "__proto__") { id } constructor: me { id } }`,
    ]
    for (const query of odd) {
      const reply = await owner.client.ask(query)
      tally.reply(reply)
      tally.expect(reply.code !== "INTERNAL", `INTERNAL to ${query.replace(id, "…")}`)
    }
    return tally
  },
}

const origins: Variant = {
  name: "sockets from other origins",
  async run({ urls, publicUrl }) {
    const tally = new Tally()
    const { client } = await signUp(urls[0]!)
    const host = new URL(publicUrl).host
    for (const origin of [
      `https://${host}`,
      "https://evil.example",
      "null",
      `http://${host}.evil.example`,
    ]) {
      const { promise, resolve } = Promise.withResolvers<string>()
      const socket = new WebSocket(`${urls[0]!.replace("http", "ws")}/graphql`, {
        protocol: "graphql-transport-ws",
        headers: { origin, cookie: client.cookies.header },
      } as never)
      socket.onopen = () => resolve("opened")
      socket.onclose = () => resolve("refused")
      socket.onerror = () => resolve("refused")
      const how = await promise
      tally.count(how)
      tally.expect(
        how === "refused",
        `a socket opens from the origin ${origin.replace(host, "of the other scheme")}`,
      )
      socket.close()
    }
    return tally
  },
}

const introspection: Variant = {
  name: "a flood of refused tokens",
  async run({ urls, lasts }) {
    const tally = new Tally()
    const client = new Client(urls[0]!)
    await flood({ lasts, atOnce: 16, perSecond: 300 }, async (index) => {
      const reply = await client.ask("{ me { id } }", {}, { token: `a.b${index}.c` })
      tally.reply(reply)
      tally.expect(
        reply.code === "UNAUTHENTICATED" || reply.code === "RATE_LIMITED",
        `a forged token was answered ${reply.code}`,
      )
    })
    const line = await openLine({ url: urls[0]!, address: client.address, token: "a.b.c" }).catch(
      (error: Error) => error.message,
    )
    tally.expect(typeof line === "string", "a socket opens with a forged token")
    return tally
  },
}

export const probes: Attack = {
  name: "probes",
  by: "stranger",
  with: "floods of `/readyz`, pages and forged tokens; odd documents; foreign origins",
  expected:
    "`/readyz` says yes or no and is kept for a second; nothing answers INTERNAL, or names what is inside",
  variants: [
    get("/readyz"),
    get("/sign-in", 40),
    get("/.well-known/jwks.json"),
    small,
    origins,
    introspection,
  ],
}
