import { Cookies } from "../../../testing/cookies.ts"
import { REFRESH, SIGN_IN, SIGN_UP } from "../../../testing/operations.ts"
import { PASSWORD } from "../../../testing/person.ts"
import { Socket, type SocketOptions } from "../../../testing/socket.ts"
import type { Random } from "../random.ts"
import { GIVE_UP_AFTER, type Outcome, readAnswer } from "./outcome.ts"

/** In ms. */
const PING_EVERY = 2_500
const JSON_HEADERS: Record<string, string> = { "content-type": "application/json" }

/**
 * Someone with an account and a login session, who asks over HTTP, each time at any of the gateways. Unlike the Person of
 * testing/, an account takes every fault as an outcome, which its owner writes into the history.
 */
export class Account {
  id = ""
  username = ""
  /** As a browser keeps them: the tokens, and what else the system wants to be told again. */
  private readonly cookies = new Cookies()
  private renewing: Promise<void> | undefined

  constructor(
    readonly name: string,
    readonly gateways: readonly string[],
    private readonly random: Random,
  ) {}

  get token(): string {
    return this.cookies.token
  }

  gateway(): string {
    return this.random.pick(this.gateways)
  }

  /** A connection by the present token to that gateway. */
  connect(url: string, onClosed: SocketOptions["onClosed"] = () => {}): Socket {
    return new Socket({ url, token: this.token, pingEvery: PING_EVERY, onClosed })
  }

  /** Every operation goes by a token of its own: the one that the socket began with expires. */
  get extensions() {
    return { authorization: `Bearer ${this.token}` }
  }

  /** Asks once, over a socket of one's own. */
  async askOver<Data>(socket: Socket, query: string, variables: object): Promise<Outcome<Data>> {
    const { extensions } = this
    const answer = await socket.ask(query, variables, { within: GIVE_UP_AFTER, extensions })
    return "lost" in answer ? answer : readAnswer<Data>(answer.body)
  }

  /** Asks until there is an account. */
  async signUp(): Promise<void> {
    const username = `${this.name}.${crypto.randomUUID().slice(0, 8)}`
    const input = { username, password: PASSWORD, name: this.name }
    for (;;) {
      const made = await this.post<{ signUp: { id: string } }>(SIGN_UP, { input })
      if ("data" in made) {
        this.id = made.data.signUp.id
        this.username = username
        this.signIn = () => this.post(SIGN_IN, { input: { username, password: PASSWORD } })
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
    const renewed = await this.post(REFRESH, {})
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
      if (!isStranger) this.cookies.keep(response)
      return readAnswer<Data>(await response.json())
    } catch (error) {
      return { lost: (error as Error).message }
    }
  }

  private headers(query: string): Record<string, string> {
    if (/refreshSession|signIn/.test(query)) {
      return { ...JSON_HEADERS, cookie: this.cookies.header }
    }
    const { token } = this
    return token ? { ...JSON_HEADERS, authorization: `Bearer ${token}` } : JSON_HEADERS
  }
}
