import { CLOSE } from "@parley/link/close-codes.ts"
import type { Logger } from "@parley/platform/log.ts"
import { GRAPHQL_TRANSPORT_WS_PROTOCOL } from "graphql-ws"
import { MAX_LINK_QUEUED_BYTES } from "../limits.ts"

/**
 * - `up`: acknowledged by the peer, which answers.
 * - `doubtful`: the same, but it has not said for a while that it lives.
 * - `broken`: lost less than a second ago; a peer that only restarts its connections is back by then.
 * - `down`: neither there nor expected soon.
 */
export type ConnectionState = "up" | "doubtful" | "broken" | "down"

export interface Connection {
  readonly state: ConnectionState
  /** What waits for the peer to read it. */
  readonly waitingBytes: number
  /** Waits for the end of a break that began less than a second ago: is it over then? False at once after a longer one. */
  afterShortBreak(): Promise<boolean>
  /** False where it is not connected, or where too much waits to be sent. */
  send(frame: string): boolean
  /** The peer is known to be there: a connection that waits for its next try tries at once. */
  hurry(): void
  /** Ends it for good. */
  close(): void
}

export interface ConnectionOptions {
  name: string
  /** What it is for, in the log. */
  carries?: string
  /** ws or wss. */
  url: string
  /** The payload of `connection_init`. */
  init: unknown
  log: Logger
  /** Every frame but the protocol's own (ack, ping, pong). */
  onFrame(frame: string): void
  /** It is in this state now. `broken` is told, and that it has become `down` is not. */
  onState(state: Exclude<ConnectionState, "down">): void
  /** How often the log is told of a peer that refuses, in ms. */
  tellEvery?: number
  /** Other times than usual. */
  times?: Partial<typeof TIMES>
}

/** In ms. */
export const TIMES = {
  /** An operation that comes during a break which began less long ago waits for its end instead of being refused. */
  grace: 1_000,
  firstRetry: 50,
  lastRetry: 2_000,
  connect: 3_000,
  /** A peer that was silent for this long is asked whether it lives … */
  quiet: 1_000,
  /** … is doubtful if it has not said so by then … */
  doubt: 1_000,
  /** … and is given up at last. */
  pong: 3_000,
  watch: 250,
}
/** What a peer says that does not know our secret. */
/** How often the log is told of that, in ms. */
const TELL_EVERY_MS = 60_000

/**
 * A graphql-transport-ws client's connection that comes back by itself: with back-off and jitter, for ever. A peer that
 * is frozen keeps its TCP connection, so pings go out, and a missing pong ends the connection within 5 s.
 */
export function createConnection(options: ConnectionOptions): Connection {
  const { name, log, onFrame, onState } = options
  const about = { subgraph: name, url: options.url, carries: options.carries }
  const times = { ...TIMES, ...options.times }
  let socket: WebSocket
  let up = false
  let doubtful = false
  let closed = false
  let downSince = performance.now()
  let wasUp = false
  let retryIn = times.firstRetry
  let lastHeard = 0
  let pingedAt = 0
  let connectingSince = 0
  let toldOfRefusal = Number.NEGATIVE_INFINITY
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
      if (doubtful) answers()
      const frame = String(data)
      if (up && !isProtocolFrame(frame)) return onFrame(frame)
      const { type } = JSON.parse(frame)
      if (type === "connection_ack") onUp()
      else if (type === "ping") mine.send('{"type":"pong"}')
    }
    mine.onclose = ({ code, reason }) => {
      if (mine !== socket) return
      if (code === CLOSE.forbidden) refused()
      lost(`${code} ${reason}`.trim())
    }
    mine.onerror = () => {}
  }

  function onUp(): void {
    up = true
    wasUp = true
    retryIn = times.firstRetry
    log.info("link up", about)
    release(Number.POSITIVE_INFINITY)
    onState("up")
  }

  /** It is tried again for ever, for the peer may get the right secret; an operator is to know of it meanwhile. */
  function refused(): void {
    const now = performance.now()
    if (now - toldOfRefusal < (options.tellEvery ?? TELL_EVERY_MS)) return
    toldOfRefusal = now
    log.error("link refused: LINK_SECRET is not the peer's", about)
  }

  function answers(): void {
    doubtful = false
    onState("up")
  }

  function lost(reason: string): void {
    if (closed || retry) return
    if (up) {
      up = false
      doubtful = false
      downSince = performance.now()
      log.warn("link down", { ...about, reason })
      onState("broken")
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
      const silent = now - Math.max(pingedAt, lastHeard)
      if (silent > times.pong) abandon("no pong")
      else if (silent > times.doubt && !doubtful) {
        doubtful = true
        onState("doubtful")
      }
    } else if (now - lastHeard > times.quiet) {
      pingedAt = now
      socket.send('{"type":"ping"}')
    }
  }, times.watch)
  watching.unref()

  connect()
  return {
    get state() {
      if (up) return doubtful ? "doubtful" : "up"
      return wasUp && !closed && performance.now() - downSince < times.grace ? "broken" : "down"
    },
    get waitingBytes() {
      return socket.bufferedAmount
    },
    afterShortBreak: () => wait(downSince + times.grace),
    send(frame) {
      if (!up || socket.bufferedAmount > MAX_LINK_QUEUED_BYTES) return false
      socket.send(frame)
      return true
    },
    hurry() {
      if (!retry || closed) return
      clearTimeout(retry)
      connect()
    },
    close() {
      closed = true
      clearInterval(watching)
      clearTimeout(retry)
      if (up) {
        up = false
        onState("broken")
      }
      release(Number.POSITIVE_INFINITY)
      socket.onclose = null
      socket.close(CLOSE.normal)
    },
  }
}

const isProtocolFrame = (frame: string) =>
  frame.startsWith('{"type":"p') || frame.startsWith('{"type":"connection_ack"')
