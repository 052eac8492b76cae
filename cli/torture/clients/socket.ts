import { GIVE_UP_AFTER, type Outcome, readAnswer } from "./outcome.ts"

export interface SocketOptions {
  gateway: string
  token: string
  /** Called once, when nothing more will come. */
  onClosed(why: string): void
}

interface Pending {
  next(body: unknown): void
  /** The operation is over; with a body where it ended in errors. */
  over(why: string, errors?: unknown): void
}

interface Message {
  id?: string
  type: string
  payload?: unknown
}

/** Without a sign of life for so long, in ms, a connection counts as lost. */
const PING_EVERY = 2_500

/** A client of graphql-transport-ws, of our own: one socket, one life. */
export class Socket {
  private readonly socket: WebSocket
  private readonly pending = new Map<string, Pending>()
  private readonly acknowledged = Promise.withResolvers<void>()
  private readonly timer: Timer
  private heard = performance.now()
  private ids = 0
  private over = false

  constructor(private readonly options: SocketOptions) {
    const { gateway, token } = options
    this.acknowledged.promise.catch(() => {})
    this.socket = new WebSocket(`${gateway.replace("http", "ws")}/graphql`, "graphql-transport-ws")
    this.socket.onopen = () =>
      this.send({ type: "connection_init", payload: { authorization: `Bearer ${token}` } })
    this.socket.onmessage = ({ data }) => this.take(JSON.parse(String(data)) as Message)
    this.socket.onclose = ({ code, reason }) => this.end(`${code} ${reason}`.trim())
    this.socket.onerror = () => {}
    this.timer = setInterval(() => this.watch(), PING_EVERY)
  }

  /** Resolves once operations may be sent; rejects where it does not come to that. */
  get ready(): Promise<void> {
    return this.acknowledged.promise
  }

  async ask<Data>(query: string, variables: object, token: string): Promise<Outcome<Data>> {
    if (this.over) return { lost: "the socket is closed" }
    const { promise, resolve } = Promise.withResolvers<Outcome<Data>>()
    const id = this.subscribe(query, variables, token, {
      next: (body) => resolve(readAnswer<Data>(body)),
      over: (why, errors) => resolve(errors ? readAnswer<Data>({ errors }) : { lost: why }),
    })
    const timer = setTimeout(() => resolve({ lost: "no answer in time" }), GIVE_UP_AFTER)
    const outcome = await promise
    clearTimeout(timer)
    this.pending.delete(id)
    return outcome
  }

  /** Begins an operation; answers its id. */
  subscribe(query: string, variables: object, token: string, pending: Pending): string {
    this.ids += 1
    const id = String(this.ids)
    this.pending.set(id, pending)
    const extensions = { authorization: `Bearer ${token}` }
    this.send({ id, type: "subscribe", payload: { query, variables, extensions } })
    return id
  }

  /** Says goodbye; or, roughly, does not. */
  close(roughly = false): void {
    if (roughly) hangUp(this.socket)
    else this.socket.close(1000)
    this.end(roughly ? "we hung up" : "we closed it")
  }

  private send(message: Message): void {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message))
  }

  private take({ id, type, payload }: Message): void {
    if (this.over) return
    this.heard = performance.now()
    if (type === "connection_ack") this.acknowledged.resolve()
    if (type === "ping") this.send({ type: "pong" })
    const pending = this.pending.get(id ?? "")
    if (type === "next") pending?.next(payload)
    if (type !== "error" && type !== "complete") return
    this.pending.delete(id ?? "")
    if (type === "error") pending?.over(`ended: ${JSON.stringify(payload)}`, payload)
    else pending?.over("completed")
  }

  private watch(): void {
    if (performance.now() - this.heard > 3 * PING_EVERY) {
      hangUp(this.socket)
      this.end("no sign of life")
    } else this.send({ type: "ping" })
  }

  private end(why: string): void {
    if (this.over) return
    this.over = true
    clearInterval(this.timer)
    this.acknowledged.reject(new Error(why))
    for (const pending of this.pending.values()) pending.over(why)
    this.pending.clear()
    this.options.onClosed(why)
  }
}

/** Without a goodbye: what Bun has beyond the standard. */
const hangUp = (socket: WebSocket) => (socket as WebSocket & { terminate(): void }).terminate()
