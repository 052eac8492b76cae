import type { Logger } from "@parley/service/log.ts"
import { GRAPHQL_TRANSPORT_WS_PROTOCOL } from "graphql-ws"

export interface Connection {
  /** Acknowledged by the peer, and not known to be lost. */
  readonly up: boolean
  /** Waits for the end of a break that began less than a second ago: is it up then? False at once after a longer one. */
  afterShortBreak(): Promise<boolean>
  /** Waits for up to so many ms: is it up then? */
  within(ms: number): Promise<boolean>
  /** False where it is down, or where too much waits to be sent. */
  send(frame: string): boolean
  /** Ends it for good. */
  close(): void
}

export interface ConnectionOptions {
  name: string
  /** ws or wss. */
  url: string
  /** The payload of `connection_init`. */
  init: unknown
  log: Logger
  /** Every frame but the protocol's own (ack, ping, pong). */
  onFrame(frame: string): void
  onDown(): void
  /** Other times than usual. */
  times?: Partial<typeof TIMES>
}

/** In ms. */
export const TIMES = {
  /** Whoever asks during a break that began less long ago waits for its end instead of being refused. */
  grace: 1_000,
  firstRetry: 50,
  lastRetry: 2_000,
  connect: 3_000,
  /** A peer that was silent for this long is asked whether it lives … */
  quiet: 2_000,
  /** … and given this long to say so. */
  pong: 3_000,
  watch: 500,
}
/** A peer that reads so slowly that this much waits is as good as down. */
const MAX_QUEUED_BYTES = 32 * 1024 * 1024

/**
 * A graphql-transport-ws client's connection that comes back by itself: with back-off and jitter, for ever. A peer that
 * is frozen keeps its TCP connection, so pings go out, and a missing pong ends the connection after some 5 s.
 */
export function createConnection(options: ConnectionOptions): Connection {
  const { name, log, onFrame, onDown } = options
  const times = { ...TIMES, ...options.times }
  let socket: WebSocket
  let up = false
  let closed = false
  let downSince = performance.now()
  let retryIn = times.firstRetry
  let lastHeard = 0
  let pingedAt = 0
  let connectingSince = 0
  let retry: Timer | undefined
  const waiting = new Set<{ until: number; resolve(up: boolean): void }>()

  function connect(): void {
    retry = undefined
    connectingSince = performance.now()
    const mine = new WebSocket(options.url, GRAPHQL_TRANSPORT_WS_PROTOCOL)
    socket = mine
    mine.onopen = () => {
      mine.send(JSON.stringify({ type: "connection_init", payload: options.init }))
    }
    mine.onmessage = ({ data }) => {
      if (mine !== socket) return
      lastHeard = performance.now()
      pingedAt = 0
      const frame = String(data)
      if (up && !isProtocolFrame(frame)) return onFrame(frame)
      const { type } = JSON.parse(frame)
      if (type === "connection_ack") onUp()
      else if (type === "ping") mine.send('{"type":"pong"}')
    }
    mine.onclose = ({ code, reason }) => {
      if (mine === socket) lost(`${code} ${reason}`.trim())
    }
    mine.onerror = () => {}
  }

  function onUp(): void {
    up = true
    retryIn = times.firstRetry
    log.info("link up", { subgraph: name })
    release(Number.POSITIVE_INFINITY)
  }

  function lost(reason: string): void {
    if (closed || retry) return
    if (up) {
      up = false
      downSince = performance.now()
      log.warn("link down", { subgraph: name, reason })
      onDown()
    }
    retry = setTimeout(connect, retryIn * (0.5 + Math.random() / 2))
    retryIn = Math.min(retryIn * 2, times.lastRetry)
  }

  /** Drops a connection without waiting for a peer that may never answer. */
  function abandon(reason: string): void {
    const old = socket
    lost(reason)
    old.onclose = null
    // Bun's: does not wait for an answer to its close frame.
    ;(old as WebSocket & { terminate(): void }).terminate()
  }

  /** Answers those who wait: all of them, or those who have waited long enough. */
  function release(now: number): void {
    for (const waiter of waiting) {
      if (waiter.until > now) continue
      waiting.delete(waiter)
      waiter.resolve(up)
    }
  }

  function wait(until: number): Promise<boolean> {
    if (up) return Promise.resolve(true)
    if (closed || until <= performance.now()) return Promise.resolve(false)
    return new Promise((resolve) => waiting.add({ until, resolve }))
  }

  let watched = performance.now()
  const watching = setInterval(() => {
    const now = performance.now()
    // This process itself was frozen: what the peer said meanwhile has not been read yet.
    if (now - watched > times.quiet) lastHeard = now
    watched = now
    release(now)
    if (!up) {
      if (!retry && now - connectingSince > times.connect) abandon("no acknowledgement")
    } else if (pingedAt > 0) {
      if (now - Math.max(pingedAt, lastHeard) > times.pong) abandon("no pong")
    } else if (now - lastHeard > times.quiet) {
      pingedAt = now
      socket.send('{"type":"ping"}')
    }
  }, times.watch)
  watching.unref()

  connect()
  return {
    get up() {
      return up
    },
    afterShortBreak: () => wait(downSince + times.grace),
    within: (ms) => wait(performance.now() + ms),
    send(frame) {
      if (!up || socket.bufferedAmount > MAX_QUEUED_BYTES) return false
      socket.send(frame)
      return true
    },
    close() {
      closed = true
      clearInterval(watching)
      clearTimeout(retry)
      if (up) {
        up = false
        onDown()
      }
      release(Number.POSITIVE_INFINITY)
      socket.onclose = null
      socket.close(1000)
    },
  }
}

const isProtocolFrame = (frame: string) =>
  frame.startsWith('{"type":"p') || frame.startsWith('{"type":"connection_ack"')
