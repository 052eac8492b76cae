import { type Client, createClient } from "graphql-ws"
import { Cookies } from "./cookies.ts"
import { CREATE_GROUP, SEND, SIGN_IN, SIGN_UP, START_DIRECT } from "./operations.ts"
import { Reading } from "./reading.ts"

export interface Answer<Data> {
  data?: Data | null
  errors?: {
    message: string
    extensions: { code: string; retryable: boolean; field?: string; retryAfterMs?: number }
  }[]
}

export const PASSWORD = "correct horse battery staple"

/** Someone with a browser's cookies, who talks to a Parley through its front door. */
export class Person {
  id = ""
  readonly cookies = new Cookies()
  private readonly clients: Client[] = []

  constructor(
    readonly url: string,
    readonly username: string,
  ) {}

  get token(): string {
    return this.cookies.token
  }

  /** Acts by a token alone: without a name, and without the means to get another token. */
  static by(url: string, token: string): Person {
    const person = new Person(url, "")
    person.cookies.set("parley_access", token)
    return person
  }

  async signUp(name?: string): Promise<void> {
    const { signUp } = await this.get<{ signUp: { id: string } }>(SIGN_UP, {
      input: { username: this.username, password: PASSWORD, name },
    })
    this.id = signUp.id
  }

  /** The same account on another device: a session of its own. */
  async onAnotherDevice(): Promise<Person> {
    const other = new Person(this.url, this.username)
    other.id = this.id
    await other.get(SIGN_IN, {
      input: { username: this.username, password: PASSWORD },
    })
    return other
  }

  /** The same browser, cookies and all, at another address. */
  at(url: string): Person {
    const same = new Person(url, this.username)
    same.id = this.id
    for (const [name, value] of this.cookies) same.cookies.set(name, value)
    return same
  }

  /** Asks over HTTP and answers whatever comes back. */
  async ask<Data>(query: string, variables: object = {}): Promise<Answer<Data>> {
    const response = await this.post(JSON.stringify({ query, variables }))
    return response.json() as Promise<Answer<Data>>
  }

  async post(body: string, headers: Record<string, string> = {}): Promise<Response> {
    const response = await fetch(`${this.url}/graphql`, {
      method: "POST",
      headers: { "content-type": "application/json", cookie: this.cookies.header, ...headers },
      body,
    })
    this.cookies.keep(response)
    return response
  }

  /** Asks over HTTP for what must succeed. */
  async get<Data>(query: string, variables: object = {}): Promise<Data> {
    const { data, errors } = await this.ask<Data>(query, variables)
    if (errors || !data) throw new Error(`${query}: ${JSON.stringify(errors)}`)
    return data
  }

  /** The code of the first error; undefined where there is none. */
  async refusal(query: string, variables: object = {}): Promise<string | undefined> {
    return (await this.ask(query, variables)).errors?.[0]?.extensions.code
  }

  /** A direct conversation with one, a group with more. */
  chatWith(...others: Person[]): Promise<string> {
    const [other] = others
    if (others.length === 1 && other) return this.startDirect(other.id)
    return this.createGroup(others.map(({ id }) => id))
  }

  async startDirect(user: string): Promise<string> {
    const made = await this.get<{ startDirect: { id: string } }>(START_DIRECT, { user })
    return made.startDirect.id
  }

  async createGroup(members: readonly string[], title = "A group"): Promise<string> {
    const variables = { title, members }
    const made = await this.get<{ createGroup: { id: string } }>(CREATE_GROUP, variables)
    return made.createGroup.id
  }

  /** Sends once; who wants to be sure sends again with the same id. */
  send(conversation: string, text: string, id: string = Bun.randomUUIDv7()) {
    return this.ask<{ sendMessage: { id: string; seq: number } }>(SEND, {
      input: { id, conversation, text },
    })
  }

  /** Sends until it is acknowledged, as the web app's outbox does. */
  async deliver(conversation: string, text: string): Promise<{ id: string; seq: number }> {
    const id = Bun.randomUUIDv7()
    for (;;) {
      const answer = await this.send(conversation, text, id).catch(() => undefined)
      if (answer?.data) return answer.data.sendMessage
      const error = answer?.errors?.[0]
      if (error && !error.extensions.retryable) throw new Error(error.message)
      await Bun.sleep(50)
    }
  }

  /** Opens the socket and reads everything that happens, across interruptions. */
  read(positions?: Map<string, number>): Reading {
    return new Reading(this.connect({ retry: true }), positions)
  }

  connect({ retry }: { retry: boolean }): Client {
    const client = createClient({
      url: `${this.url.replace("http", "ws")}/graphql`,
      connectionParams: () => ({ authorization: `Bearer ${this.token}` }),
      retryAttempts: retry ? Number.POSITIVE_INFINITY : 0,
      retryWait: () => Bun.sleep(100),
      shouldRetry: () => retry,
      onNonLazyError: () => {},
    })
    this.clients.push(client)
    return client
  }

  async leaveAll(): Promise<void> {
    for (const client of this.clients) await client.dispose()
  }
}
