import { type Reply, readBody } from "./client.ts"

interface Listener {
  next(payload: unknown): void
  /** The operation is over: completed, refused, or its socket has gone. */
  over(why: string): void
}

interface Frame {
  id?: string
  type: string
  payload?: unknown
}

export interface LineOptions {
  url: string
  address: string
  token: string
  /** The connection's cookies, as a browser sends them. */
  cookies?: string
  onClosed?(code: number, reason: string): void
}

const CONNECT_WITHIN = 5_000
const GIVE_UP_AFTER = 10_000

/** A socket of graphql-transport-ws that hides nothing: what comes is handed on, what ends is said with its code. */
export class Line {
  readonly socket: WebSocket
  private readonly listeners = new Map<string, Listener>()
  private ids = 0
  closed: { code: number; reason: string } | undefined

  private constructor(private readonly options: LineOptions) {
    const { url, address, cookies } = options
    this.socket = new WebSocket(`${url.replace("http", "ws")}/graphql`, {
      protocol: "graphql-transport-ws",
      headers: { "x-forwarded-for": address, ...(cookies ? { cookie: cookies } : {}) },
    } as never)
  }

  /** Resolves once operations may be sent. @throws Error with the close code where it does not come to that. */
  static open(options: LineOptions): Promise<Line> {
    const line = new Line(options)
    const { promise, resolve, reject } = Promise.withResolvers<Line>()
    const timer = setTimeout(() => {
      reject(new Error("no connection in time"))
      line.hangUp()
    }, CONNECT_WITHIN)
    line.socket.onopen = () =>
      line.send({
        type: "connection_init",
        payload: options.token ? { authorization: `Bearer ${options.token}` } : {},
      })
    line.socket.onmessage = ({ data }) => {
      const frame = JSON.parse(String(data)) as Frame
      if (frame.type === "connection_ack") resolve(line)
      line.take(frame)
    }
    line.socket.onerror = () => {}
    line.socket.onclose = ({ code, reason }) => {
      reject(new Error(`${code} ${reason}`))
      line.end(code, reason)
    }
    return promise.finally(() => clearTimeout(timer))
  }

  subscribe(query: string, variables: object, listener: Listener): string {
    this.ids += 1
    const id = String(this.ids)
    if (this.closed) listener.over(`${this.closed.code} ${this.closed.reason}`)
    else {
      this.listeners.set(id, listener)
      this.send({ id, type: "subscribe", payload: { query, variables } })
    }
    return id
  }

  ask<Data = Record<string, unknown>>(
    query: string,
    variables: object = {},
    within = GIVE_UP_AFTER,
  ) {
    const began = performance.now()
    const { promise, resolve } = Promise.withResolvers<Reply<Data>>()
    const done = (reply: Partial<Reply<Data>>) =>
      resolve({ status: 0, bytes: 0, took: performance.now() - began, ...reply })
    const timer = setTimeout(() => done({ code: "LOST", message: "no answer in time" }), within)
    this.subscribe(query, variables, {
      next: (payload) => done({ status: 200, ...readBody<Data>(payload) }),
      over: (why) => done({ code: codeIn(why) ?? "LOST", message: why }),
    })
    return promise.finally(() => clearTimeout(timer))
  }

  send(frame: Frame): void {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(frame))
  }

  close(): void {
    this.socket.close(1000)
  }

  /** Without a goodbye: what Bun has beyond the standard. */
  hangUp(): void {
    ;(this.socket as WebSocket & { terminate(): void }).terminate()
  }

  private take({ id = "", type, payload }: Frame): void {
    if (type === "ping") this.send({ type: "pong" })
    const listener = this.listeners.get(id)
    if (type === "next") listener?.next(payload)
    if (type !== "error" && type !== "complete") return
    this.listeners.delete(id)
    listener?.over(type === "error" ? JSON.stringify(payload) : "completed")
  }

  private end(code: number, reason: string): void {
    if (this.closed) return
    this.closed = { code, reason }
    for (const listener of this.listeners.values()) listener.over(`${code} ${reason}`)
    this.listeners.clear()
    this.options.onClosed?.(code, reason)
  }
}

/** The code of the first error in the payload of an `error` frame. */
export const codeIn = (why: string): string | undefined => /"code":"([A-Z_]+)"/.exec(why)?.[1]
