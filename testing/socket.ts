/** What an operation is told. */
export interface Listener {
  next(payload: unknown): void
  /** The operation has completed, or was refused with errors, or its socket has gone. */
  over(why: string, errors?: unknown): void
}

export interface SocketOptions {
  /** Of the gateway, with http. */
  url: string
  /** Empty for a client without a login. */
  token: string
  headers?: Record<string, string>
  /** Pings every so many ms, and gives up a connection that is silent for three times as long. */
  pingEvery?: number
  /** Called once, when nothing more will come. */
  onClosed?(code: number, reason: string): void
}

interface Frame {
  id?: string
  type: string
  payload?: unknown
}

const CONNECT_WITHIN = 5_000
const GIVE_UP_AFTER = 10_000

/**
 * A client of graphql-transport-ws that hides nothing: one socket, one life; the client learns of each payload as it
 * comes, and of each end with its reason. The library's client, in person.ts, reconnects by itself; connectSocket, in
 * frames.ts, sends what no client should.
 */
export class Socket {
  readonly socket: WebSocket
  /** How it ended, once it has. */
  closed: { code: number; reason: string } | undefined
  private readonly listeners = new Map<string, Listener>()
  private readonly acknowledged = Promise.withResolvers<void>()
  private readonly late: Timer
  private readonly pinging: Timer | undefined
  private heard = performance.now()
  private ids = 0
  private left = false

  constructor(private readonly options: SocketOptions) {
    const { url, token, headers = {}, pingEvery } = options
    this.acknowledged.promise.catch(() => {})
    this.socket = new WebSocket(`${url.replace("http", "ws")}/graphql`, {
      protocol: "graphql-transport-ws",
      headers,
    } as never)
    const payload = token ? { authorization: `Bearer ${token}` } : {}
    this.socket.onopen = () => this.send({ type: "connection_init", payload })
    this.socket.onmessage = ({ data }) => this.take(JSON.parse(String(data)) as Frame)
    this.socket.onclose = ({ code, reason }) => this.end(code, reason)
    this.socket.onerror = () => {}
    this.late = setTimeout(() => this.hangUp("no connection in time"), CONNECT_WITHIN)
    if (pingEvery) this.pinging = setInterval(() => this.watch(pingEvery), pingEvery)
  }

  /** Resolves once operations may be sent. @throws Error with the close code where it does not come to that in 5 s. */
  get ready(): Promise<void> {
    return this.acknowledged.promise
  }

  /** Begins an operation; answers its id. */
  subscribe(query: string, variables: object, listener: Listener, extensions?: object): string {
    this.ids += 1
    const id = String(this.ids)
    if (this.closed) listener.over(`${this.closed.code} ${this.closed.reason}`)
    else {
      this.listeners.set(id, listener)
      this.send({ id, type: "subscribe", payload: { query, variables, extensions } })
    }
    return id
  }

  /** The body of the answer, as HTTP would carry it; or why there is none within so many ms. */
  async ask(
    query: string,
    variables: object = {},
    { within = GIVE_UP_AFTER, extensions }: { within?: number; extensions?: object } = {},
  ): Promise<{ body: unknown } | { lost: string }> {
    const { promise, resolve } = Promise.withResolvers<{ body: unknown } | { lost: string }>()
    const listener: Listener = {
      next: (body) => resolve({ body }),
      over: (why, errors) => resolve(errors ? { body: { errors } } : { lost: why }),
    }
    const id = this.subscribe(query, variables, listener, extensions)
    const timer = setTimeout(() => resolve({ lost: "no answer in time" }), within)
    const answer = await promise
    clearTimeout(timer)
    this.listeners.delete(id)
    return answer
  }

  send(frame: Frame): void {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(frame))
  }

  close(): void {
    this.socket.close(1000)
    this.leave(1000, "closed by its client")
  }

  /** Without a goodbye: what Bun has beyond the standard. */
  hangUp(why = "hung up by its client"): void {
    ;(this.socket as WebSocket & { terminate(): void }).terminate()
    this.leave(1006, why)
  }

  /** Does not wait for the other end, which may hang; the operations are told as if it had answered at once. */
  private leave(code: number, reason: string): void {
    this.left = true
    setTimeout(() => this.end(code, reason))
  }

  private take({ id = "", type, payload }: Frame): void {
    if (this.left) return
    this.heard = performance.now()
    if (type === "connection_ack") {
      clearTimeout(this.late)
      this.acknowledged.resolve()
    }
    if (type === "ping") this.send({ type: "pong" })
    const listener = this.listeners.get(id)
    if (type === "next") listener?.next(payload)
    if (type !== "error" && type !== "complete") return
    this.listeners.delete(id)
    if (type === "error") listener?.over(JSON.stringify(payload), payload)
    else listener?.over("completed")
  }

  private watch(every: number): void {
    if (performance.now() - this.heard > 3 * every) this.hangUp("no sign of life")
    else this.send({ type: "ping" })
  }

  private end(code: number, reason: string): void {
    if (this.closed) return
    this.closed = { code, reason }
    clearTimeout(this.late)
    clearInterval(this.pinging)
    const why = `${code} ${reason}`.trim()
    this.acknowledged.reject(new Error(why))
    for (const listener of this.listeners.values()) listener.over(why)
    this.listeners.clear()
    this.options.onClosed?.(code, reason)
  }
}
