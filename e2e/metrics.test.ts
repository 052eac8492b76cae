import { expect, test } from "bun:test"
import { watchSockets } from "@parley/link/socket-metrics.ts"
import { silentLogger } from "@parley/platform/log.ts"
import { createMetrics } from "@parley/platform/metrics.ts"
import { openMetrics } from "@parley/platform/metrics-server.ts"
import { createAuthMetrics } from "../auth/metrics.ts"
import { createChatMetrics } from "../chat/metrics.ts"
import { createGatewayMetrics } from "../gateway/metrics.ts"
import { ROOT } from "../platform/machine/root.ts"

const page = await Bun.file(`${ROOT}/docs/observability.md`).text()

/** A part of which only the presence counts: figures are read when somebody asks, and nobody does here. */
const present = {} as never

/** Every metric that any process may have. */
function names(): string[] {
  const metrics = createMetrics()
  using ofProcess = openMetrics({ port: 0, host: "127.0.0.1" }, silentLogger)!
  const chat = createChatMetrics(metrics)
  chat.store({} as never)
  chat.watch({ hub: present, bus: present, appender: present, outbox: present, cluster: present })
  const auth = createAuthMetrics(metrics)
  auth.store({} as never)
  auth.semaphore(present)
  createGatewayMetrics(metrics)
  for (const prefix of ["parley_chat", "parley_auth", "parley_gateway"]) {
    watchSockets(metrics, prefix, "peers")
  }
  return [metrics, ofProcess].flatMap((of) => of.names())
}

test("docs/observability.md has every figure, and none besides", () => {
  const all = names()
  expect(all.length).toBeGreaterThan(40)
  const documented = new Set(
    [...page.matchAll(/`((?:parley|process)_[a-z_]+)/g)].map(([, name]) => name!),
  )
  expect([...documented].sort()).toEqual([...new Set(all)].sort())
})

test("docs/observability.md has every variable", async () => {
  const source = await Bun.file(`${ROOT}/platform/observability.ts`).text()
  const variables = [...source.matchAll(/^ {2}([A-Z_]+): v\./gm)].map(([, name]) => name!)
  expect(variables).toHaveLength(6)
  for (const name of variables) expect(page).toContain(`\`${name}\``)
})
