import { expect, test } from "bun:test"
import { createMetrics } from "@parley/platform/metrics.ts"
import type { BunSocket } from "./socket.ts"
import { watchSockets } from "./socket-metrics.ts"

const socket = (waiting: number) => ({ getBufferedAmount: () => waiting }) as BunSocket

test("connections are counted, with how they end and what waits for them", () => {
  const metrics = createMetrics()
  const watch = watchSockets(metrics, "parley_gateway", "clients")
  const all = [socket(100), socket(2_000), socket(0)]
  for (const one of all) watch.opened(one)
  const lines = () => metrics.text().split("\n")
  expect(lines()).toContain("parley_gateway_sockets 3")
  expect(lines()).toContain('parley_gateway_socket_waiting_bytes{of="all"} 2100')
  expect(lines()).toContain('parley_gateway_socket_waiting_bytes{of="slowest"} 2000')
  watch.closed(all[0]!, 4403)
  watch.closed(all[0]!, 4403)
  watch.closed(all[1]!, 3_333)
  expect(lines()).toContain("parley_gateway_sockets 1")
  expect(lines()).toContain('parley_gateway_socket_closes_total{code="4403"} 1')
  expect(lines()).toContain('parley_gateway_socket_closes_total{code="other"} 1')
})

test("no connections are nothing that waits", () => {
  const metrics = createMetrics()
  watchSockets(metrics, "parley_chat", "gateways")
  expect(metrics.text()).toContain('parley_chat_socket_waiting_bytes{of="slowest"} 0\n')
})
