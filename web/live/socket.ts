import { createClient, type Client as SocketClient } from "graphql-ws"
import { SOCKET_OPEN_WITHIN_MS, SOCKET_STEADY_MS } from "../limits.ts"
import { backoff, pause } from "./backoff.ts"
import { leaveEndedSession, renewSession } from "./session.ts"

export type Connection = "connecting" | "open" | "offline"

export interface LiveSocket {
  client: SocketClient
  connection(): Connection
  /** Begins to listen to what the device says of its network and of the tab; returns what ends it. */
  watchNetwork(): () => void
  subscribe(listener: () => void): () => void
}

const PING_EVERY_MS = 12_000
const PONG_WITHIN_MS = 5_000
/** docs/protocol.md: the session behind the socket is not valid (any more). */
const SESSION_INVALID = 4403

/**
 * The one WebSocket of this tab. It comes back by itself, for ever, until the session is refused: at once when the
 * device is online again or the tab is looked at, else after a pause. The pauses grow until a socket has lived for a
 * while: a gateway that accepts and closes again meets few attempts too.
 */
export function createLiveSocket({ openWithinMs = SOCKET_OPEN_WITHIN_MS } = {}): LiveSocket {
  let connection: Connection = "connecting"
  let socketOpen = false
  let closeCode: number | undefined
  let pongTimer: ReturnType<typeof setTimeout> | undefined
  let openTimer: ReturnType<typeof setTimeout> | undefined
  /** Attempts since a socket has last lived for a while. */
  let attempts = 0
  let connectedAt = Number.POSITIVE_INFINITY
  /** Fires when the tab becomes visible: its person wants it up to date. */
  let looked = new AbortController()
  const listeners = new Set<() => void>()

  /** A device without network is offline, though a socket may look open for a while. */
  const change = () => {
    const next = !navigator.onLine ? "offline" : socketOpen ? "open" : "connecting"
    if (next === connection) return
    connection = next
    for (const listener of listeners) listener()
  }

  const client = createClient({
    url: () => `${location.origin.replace(/^http/, "ws")}/graphql`,
    lazy: true,
    keepAlive: PING_EVERY_MS,
    connectionAckWaitTimeout: 8_000,
    retryAttempts: Number.POSITIVE_INFINITY,
    shouldRetry: () => true,
    async retryWait() {
      if (performance.now() - connectedAt >= SOCKET_STEADY_MS) attempts = 0
      connectedAt = Number.POSITIVE_INFINITY
      const attempt = attempts
      attempts += 1
      if (closeCode === SESSION_INVALID) {
        if ((await renewSession()) === "refused") {
          void leaveEndedSession()
          return new Promise(() => {})
        }
        // A session that is renewed and refused in turn must not become a busy loop.
        if (attempt === 0) return
      }
      await pause(backoff(attempt, { most: 8_000 }), looked.signal)
    },
    on: {
      // Without this a network that swallows everything keeps the socket connecting for as long as the browser likes.
      connecting() {
        openTimer = setTimeout(() => client.terminate(), openWithinMs)
      },
      opened: () => clearTimeout(openTimer),
      connected() {
        connectedAt = performance.now()
        socketOpen = true
        change()
      },
      closed(event) {
        closeCode = (event as Partial<CloseEvent> | undefined)?.code
        clearTimeout(pongTimer)
        clearTimeout(openTimer)
        socketOpen = false
        change()
      },
      // keepAlive alone never notices a server that is frozen or a network that swallows everything.
      ping(received) {
        if (!received) pongTimer = setTimeout(() => client.terminate(), PONG_WITHIN_MS)
      },
      pong(received) {
        if (received) clearTimeout(pongTimer)
      },
    },
  })

  return {
    client,
    connection: () => connection,
    watchNetwork() {
      // The network that comes back is often another one: a socket of before would be found dead in half a minute.
      const back = () => {
        if (connection === "offline" && socketOpen) client.terminate()
        change()
      }
      const look = () => {
        if (document.visibilityState !== "visible") return
        looked.abort()
        looked = new AbortController()
      }
      change()
      addEventListener("offline", change)
      addEventListener("online", back)
      document.addEventListener("visibilitychange", look)
      return () => {
        removeEventListener("offline", change)
        removeEventListener("online", back)
        document.removeEventListener("visibilitychange", look)
      }
    },
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}
