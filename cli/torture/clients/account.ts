import type { Random } from "../random.ts"
import { GIVE_UP_AFTER, type Outcome, readAnswer } from "./outcome.ts"

const PASSWORD = "correct horse battery staple"
const JSON_HEADERS: Record<string, string> = { "content-type": "application/json" }

/** Someone with an account and a login session, who asks over HTTP, each time at any of the gateways. */
export class Account {
  id = ""
  username = ""
  /** As a browser keeps them: the tokens, and what else the system wants to be told again. */
  private readonly cookies = new Map<string, string>()
  private renewing: Promise<void> | undefined

  constructor(
    readonly name: string,
    readonly gateways: readonly string[],
    private readonly random: Random,
  ) {}

  get token(): string {
    return this.cookies.get("parley_access") ?? ""
  }

  gateway(): string {
    return this.random.pick(this.gateways)
  }

  /** Asks until there is an account. */
  async signUp(): Promise<void> {
    const username = `${this.name}.${crypto.randomUUID().slice(0, 8)}`
    const input = { username, password: PASSWORD, name: this.name }
    for (;;) {
      const made = await this.post<{ signUp: { id: string } }>(
        "mutation($input: SignUpInput!) { signUp(input: $input) { id } }",
        { input },
      )
      if ("data" in made) {
        this.id = made.data.signUp.id
        this.username = username
        this.signIn = () =>
          this.post("mutation($input: SignInInput!) { signIn(input: $input) { id } }", {
            input: { username, password: PASSWORD },
          })
        return
      }
      if ("code" in made && !made.retryable)
        throw new Error(`${this.name} has no account: ${made.code}`)
      await Bun.sleep(200)
    }
  }

  private signIn: () => Promise<Outcome<unknown>> = async () => ({ lost: "there is no account" })

  /** Asks once. An account that is told to sign in again does so, for the next time. */
  async ask<Data>(query: string, variables: object = {}): Promise<Outcome<Data>> {
    const outcome = await this.post<Data>(query, variables)
    if ("code" in outcome && outcome.code === "UNAUTHENTICATED") await this.renew()
    return outcome
  }

  /** Gets new tokens; by the password where the session is over. A failure is no more than that: one asks again. */
  renew(): Promise<void> {
    this.renewing ??= this.renewNow().finally(() => {
      this.renewing = undefined
    })
    return this.renewing
  }

  private async renewNow(): Promise<void> {
    const renewed = await this.post("mutation { refreshSession { id } }", {})
    if ("code" in renewed && renewed.code === "UNAUTHENTICATED") await this.signIn()
  }

  /** Asks as a stranger without an account, on another device. */
  askAsStranger<Data>(query: string, variables: object): Promise<Outcome<Data>> {
    return this.post<Data>(query, variables, true)
  }

  private async post<Data>(
    query: string,
    variables: object,
    isStranger = false,
  ): Promise<Outcome<Data>> {
    try {
      const response = await fetch(`${this.gateway()}/graphql`, {
        method: "POST",
        headers: isStranger ? JSON_HEADERS : this.headers(query),
        body: JSON.stringify({ query, variables }),
        signal: AbortSignal.timeout(GIVE_UP_AFTER),
      })
      if (!isStranger) this.keepCookies(response)
      return readAnswer<Data>(await response.json())
    } catch (error) {
      return { lost: (error as Error).message }
    }
  }

  private headers(query: string): Record<string, string> {
    if (/refreshSession|signIn/.test(query)) {
      const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join("; ")
      return { ...JSON_HEADERS, cookie }
    }
    const { token } = this
    return token ? { ...JSON_HEADERS, authorization: `Bearer ${token}` } : JSON_HEADERS
  }

  private keepCookies(response: Response): void {
    for (const line of response.headers.getSetCookie()) {
      const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      if (value === "") this.cookies.delete(name)
      else this.cookies.set(name, value)
    }
  }
}
