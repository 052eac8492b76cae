import { until } from "./until.ts"

export interface Frame {
  id?: string
  /** Of a frame that is shared between operations. */
  ids?: string[]
  type: string
  payload?: unknown
  [key: string]: unknown
}

/** A WebSocket on which a test says exactly what it wants, and looks at every frame that comes back. */
export async function connectSocket(url: string, headers: Record<string, string> = {}) {
  const socket = new WebSocket(`${url}/graphql`, {
    protocols: ["graphql-transport-ws"],
    headers,
  } as never)
  const frames: Frame[] = []
  const texts: string[] = []
  const closed = Promise.withResolvers<{ code: number; reason: string }>()
  const opened = Promise.withResolvers<void>()
  let wake = () => {}
  opened.promise.catch(() => {})
  socket.onopen = () => opened.resolve()
  socket.onmessage = ({ data }) => {
    texts.push(String(data))
    frames.push(JSON.parse(String(data)))
    wake()
  }
  socket.onclose = ({ code, reason }) => {
    opened.reject(new Error(`closed with ${code} ${reason}`))
    closed.resolve({ code, reason })
    wake()
  }
  socket.onerror = () => {}
  await opened.promise

  return {
    frames,
    /** The frames as they came. */
    texts,
    closed: closed.promise,
    send(frame: unknown) {
      socket.send(typeof frame === "string" ? frame : JSON.stringify(frame))
    },
    subscribe(id: string, query: string, variables = {}, extensions?: Record<string, unknown>) {
      this.send({ id, type: "subscribe", payload: { query, variables, extensions } })
    },
    /** Takes the first frame of that type (and id), those that came already among them. Fails after 15 s. */
    async next<F extends Frame = Frame>(type: string, id?: string): Promise<F> {
      const deadline = Date.now() + 15_000
      for (;;) {
        const at = frames.findIndex(
          (frame) => frame.type === type && (id === undefined || frame.id === id),
        )
        if (at >= 0) return frames.splice(at, 1)[0] as F
        const left = deadline - Date.now()
        if (left <= 0) throw new Error(`no ${type} came, but ${texts.slice(-3).join(" ")}`)
        if (socket.readyState === WebSocket.CLOSED) throw new Error(`closed before ${type} came`)
        const { promise, resolve } = Promise.withResolvers<void>()
        wake = resolve
        const timer = setTimeout(resolve, left)
        await promise
        clearTimeout(timer)
      }
    },
    /** The first frame that fits, once it has come; it stays. */
    async frame(fits: (frame: Frame) => boolean, what = "a frame"): Promise<Frame> {
      await until(() => frames.some(fits) || socket.readyState === WebSocket.CLOSED, what)
      const found = frames.find(fits)
      if (!found) throw new Error(`closed while waiting for ${what}`)
      return found
    },
    /** Takes the next frame, whatever it is; undefined once it is closed. */
    async any(): Promise<Frame | undefined> {
      while (frames.length === 0) {
        if (socket.readyState === WebSocket.CLOSED) return undefined
        const { promise, resolve } = Promise.withResolvers<void>()
        wake = resolve
        await promise
      }
      return frames.shift()
    },
    get isClosed() {
      return socket.readyState === WebSocket.CLOSED
    },
    ping: () => (socket as WebSocket & { ping(): void }).ping(),
    close: () => socket.close(),
    terminate: () => (socket as WebSocket & { terminate(): void }).terminate(),
  }
}
export type TestSocket = Awaited<ReturnType<typeof connectSocket>>
