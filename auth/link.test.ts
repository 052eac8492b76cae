import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { connectSocket } from "@parley/testing/frames.ts"
import { PASSWORD, SECRET, startWorld, type World } from "./test/world.ts"

let world: World
beforeAll(async () => {
  world = await startWorld({ guessesPerAddress: 3 })
})
afterAll(() => world[Symbol.asyncDispose]())

interface Result {
  data?: Record<string, unknown> | null
  errors?: { extensions: { code: string } }[]
  extensions?: { setCookies?: string[] }
}

/** A gateway's end of the link: one socket for everyone, who asks is said per operation. */
async function openLink(to = world) {
  const socket = await connectSocket(to.url.replace("http", "ws"))
  socket.send({ type: "connection_init", payload: { secret: SECRET } })
  await socket.next("connection_ack")
  let count = 0
  return {
    async ask(query: string, variables: object, extensions: Record<string, unknown>) {
      const id = String(++count)
      socket.subscribe(id, query, variables, extensions)
      const { type, payload } = await socket.frame((frame) => frame.id === id)
      return (type === "error" ? { errors: payload } : payload) as Result
    },
    [Symbol.dispose]: () => socket.close(),
  }
}

const SIGN_UP = `mutation($input: SignUpInput!) { signUp(input: $input) { id } }`
const SIGN_IN = `mutation($input: SignInInput!) { signIn(input: $input) { id } }`
const tokenIn = (cookie: string) => Bun.Cookie.parse(cookie).value

describe("over the link", () => {
  test("cookies come beside the data, and tokens go with each operation", async () => {
    using link = await openLink()
    const input = { username: "alice", password: PASSWORD }
    const browser = { userAgent: "Mozilla/5.0 (X11; Linux) Firefox/132.0", address: "192.0.2.1" }
    const made = await link.ask(SIGN_UP, { input }, browser)
    const [access, refresh] = made.extensions!.setCookies!
    expect(access).toStartWith("parley_access=")
    expect(refresh).toStartWith("parley_refresh=")

    const token = tokenIn(access!)
    const mine = await link.ask("{ me { username } sessions { device current } }", {}, { token })
    expect(mine.data).toEqual({
      me: { username: "alice" },
      sessions: [{ device: "Firefox on Linux", current: true }],
    })
    expect(mine.extensions).toBeUndefined()
    // The next operation on the same socket is someone else's.
    expect((await link.ask("{ me { username } }", {}, {})).data).toEqual({ me: null })

    const refreshToken = tokenIn(refresh!)
    const renewed = await link.ask("mutation { refreshSession { username } }", {}, { refreshToken })
    expect(renewed.data).toEqual({ refreshSession: { username: "alice" } })
    expect(tokenIn(renewed.extensions!.setCookies![1]!)).not.toBe(refreshToken)

    const out = await link.ask("mutation { signOut }", {}, { refreshToken })
    expect(out.data).toEqual({ signOut: true })
    for (const cookie of out.extensions!.setCookies!) expect(cookie).toContain("Max-Age=0")
    expect((await link.ask("{ me { id } }", {}, { token })).errors?.[0]?.extensions.code).toBe(
      "UNAUTHENTICATED",
    )
  })

  test("a refusal takes the cookies away that caused it", async () => {
    using link = await openLink()
    const query = "mutation { refreshSession { id } }"
    const refused = await link.ask(query, {}, { refreshToken: "stolen.1.token" })
    expect(refused.errors?.[0]?.extensions.code).toBe("UNAUTHENTICATED")
    expect(refused.extensions?.setCookies).toHaveLength(2)
    for (const cookie of refused.extensions!.setCookies!) expect(cookie).toContain("Max-Age=0")
  })

  test("it is the browser's address that is counted, not the gateway's", async () => {
    using link = await openLink()
    const guess = async (address: string, username: string) => {
      const input = { username, password: "a wrong guess" }
      return (await link.ask(SIGN_IN, { input }, { address })).errors?.[0]?.extensions.code
    }
    for (let i = 0; i < 3; i++) expect(await guess("192.0.2.66", `u${i}`)).toBe("UNAUTHENTICATED")
    expect(await guess("192.0.2.66", "u4")).toBe("RATE_LIMITED")
    expect(await guess("192.0.2.67", "u4")).toBe("UNAUTHENTICATED")
  })

  test("broken extensions are BAD_INPUT", async () => {
    using link = await openLink()
    const answer = await link.ask("{ me { id } }", {}, { token: { $gt: "" } })
    expect(answer.errors?.[0]?.extensions.code).toBe("BAD_INPUT")
  })

  test("a stop answers what is under way before it closes the socket", async () => {
    const dear = { memoryCost: 19_456, timeCost: 4 }
    await using own = await startWorld({}, dear)
    using link = await openLink(own)
    const names = ["alice", "bob", "carol", "dave"]
    const answers = names.map((username) =>
      link.ask(SIGN_UP, { input: { username, password: PASSWORD } }, {}),
    )
    await Promise.race(answers)
    await own.restart()
    for (const { data } of await Promise.all(answers)) expect(data?.signUp).toBeDefined()
    for (const name of names) expect((await own.device().signIn(name)).data?.signIn).toBeDefined()
  }, 30_000)
})
