import type { Metrics } from "@parley/platform/metrics.ts"
import type { BunSocket, SocketWatch } from "./socket.ts"

/** Those of docs/protocol.md and of RFC 6455. A peer may give any other: those are counted together. */
const CODES = new Set([
  ...[1000, 1001, 1002, 1003, 1005, 1006, 1007, 1008, 1009, 1011, 1012, 1013],
  ...[4400, 4401, 4403, 4406, 4408, 4409, 4429, 4499, 4500],
])

/** Counts the connections of a service, how they ended, and what waits for peers that read slowly. */
export function watchSockets(metrics: Metrics, prefix: string, whose: string): SocketWatch {
  const sockets = new Set<BunSocket>()
  const closes = metrics.counters(
    `${prefix}_socket_closes_total`,
    `Connections of ${whose} that have ended, by close code.`,
    ["code"],
  )
  metrics.gauge(`${prefix}_sockets`, `Connections of ${whose}.`, () => sockets.size)
  metrics.gauge(
    `${prefix}_socket_waiting_bytes`,
    `What waits for ${whose} to read it: for all together, and for the slowest.`,
    () => {
      const all = [...sockets].map((socket) => socket.getBufferedAmount())
      return {
        all: all.reduce((sum, one) => sum + one, 0),
        slowest: all.reduce((most, one) => Math.max(most, one), 0),
      }
    },
    "of",
  )
  return {
    opened: (socket) => void sockets.add(socket),
    closed(socket, code) {
      if (sockets.delete(socket)) closes.of(CODES.has(code) ? String(code) : "other").inc()
    },
  }
}
