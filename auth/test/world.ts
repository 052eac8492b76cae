import { SECRET_HEADER } from "@parley/link/protocol.ts"
import { silentLogger } from "@parley/platform/log.ts"
import { Cookies } from "@parley/testing/cookies.ts"
import { temporaryFolder } from "@parley/testing/folder.ts"
import { REFRESH, SIGN_IN } from "@parley/testing/operations.ts"
import type { AuthConfig } from "../config.ts"
import type { HashingOptions } from "../domain/hashing.ts"
import { startAuth } from "../start.ts"

export const SECRET = "the link secret of an auth service under test"
export const PASSWORD = "correct horse battery staple"

export interface Answer<Data> {
  data?: Data | null
  errors?: {
    message: string
    extensions: { code: string; field?: string; retryAfterMs?: number; retryable: boolean }
  }[]
}

/** The cost of a hash is not what most tests are about. */
export const CHEAP = { memoryCost: 8, timeCost: 1 }

export const configFor = (dataDir: string, settings: Partial<AuthConfig> = {}): AuthConfig => ({
  port: 0,
  host: "127.0.0.1",
  publicUrl: "http://localhost:4000",
  dataDir,
  mongodbUrl: undefined,
  linkSecret: SECRET,
  logLevel: "error",
  signUpsPerAddress: 1_000,
  guessesPerAddress: 200,
  ...settings,
})

/**
 * A real auth service on a port of its own, with a clock that a test can move.
 * @param offset how wrong its clock is from the start, in ms
 */
export async function startWorld(
  settings: Partial<AuthConfig> = {},
  hashing: Partial<HashingOptions> & { queue?: number } = {},
  offset = 0,
  log = silentLogger,
) {
  const folder = temporaryFolder()
  const dataDir = folder.path
  const clock = { now: () => Date.now() + offset }
  const config = configFor(dataDir, settings)
  const { queue, ...costs } = hashing
  const overrides = { clock, log, hashing: { ...CHEAP, ...costs }, queue }
  let auth = await startAuth(config, overrides)

  const world = {
    dataDir,
    clock,
    get url() {
      return `http://127.0.0.1:${auth.port}`
    },
    pass(ms: number) {
      offset += ms
    },
    device: () => new Device(world),
    async restart() {
      await auth.stop()
      auth = await startAuth(config, overrides)
    },
    async endedSessions(): Promise<{ id: string; endedAt: number }[]> {
      const response = await fetch(`${world.url}/internal/ended-sessions?after=0`, {
        headers: { [SECRET_HEADER]: SECRET },
      })
      return (await response.json()).sessions
    },
    async [Symbol.asyncDispose]() {
      await auth.stop()
      folder[Symbol.dispose]()
    },
  }
  return world
}
export type World = Awaited<ReturnType<typeof startWorld>>

/** A browser: keeps the cookies that it is given. */
export class Device {
  readonly cookies = new Cookies()
  /** The Set-Cookie lines of the last answer. */
  setCookies: string[] = []
  address = "203.0.113.7"

  constructor(private readonly world: { url: string }) {}

  get access(): string {
    return this.cookies.token
  }

  async ask<Data = Record<string, never>>(
    query: string,
    variables: object = {},
    token = this.access,
  ): Promise<Answer<Data>> {
    const cookie = [...this.cookies]
      .filter(([name]) => name !== "parley_access")
      .map(([name, value]) => `${name}=${value}`)
    const response = await fetch(`${this.world.url}/graphql`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        [SECRET_HEADER]: SECRET,
        "x-forwarded-for": this.address,
        "user-agent": "Mozilla/5.0 (X11; Linux x86_64) Chrome/150.0 Safari/537.36",
        ...(token ? { authorization: `Bearer ${token}` } : {}),
        ...(cookie.length > 0 ? { cookie: cookie.join("; ") } : {}),
      },
      body: JSON.stringify({ query, variables }),
    })
    this.setCookies = response.headers.getSetCookie()
    this.cookies.keep(response)
    return response.json() as Promise<Answer<Data>>
  }

  async code(query: string, variables: object = {}, token = this.access) {
    return (await this.ask(query, variables, token)).errors?.[0]?.extensions.code
  }

  signUp(username: string, input: object = {}) {
    return this.ask<{ signUp: { id: string; username: string; name: string } }>(
      "mutation($input: SignUpInput!) { signUp(input: $input) { id username name } }",
      { input: { username, password: PASSWORD, ...input } },
      "",
    )
  }

  signIn(username: string, password = PASSWORD) {
    return this.ask<{ signIn: { id: string } }>(SIGN_IN, { input: { username, password } }, "")
  }

  refresh() {
    // The access token may have expired: that is what a refresh is for.
    return this.ask<{ refreshSession: { id: string } }>(REFRESH, {}, "")
  }

  async sessions() {
    const { data } = await this.ask<{
      sessions: { id: string; device: string; current: boolean }[]
    }>("{ sessions { id device current } }")
    return data?.sessions ?? []
  }

  async isSignedIn(): Promise<boolean> {
    return (await this.ask<{ me: unknown }>("{ me { id } }")).data?.me != null
  }
}
