import { expect, test } from "bun:test"
import { badInput, unavailable } from "./errors.ts"
import { createMetrics } from "./metrics.ts"
import { storeTimings, timed } from "./timed.ts"

/** A port as engines make it: plain functions, a method that needs its object, and a part that is none of these. */
function createPort() {
  return {
    closed: false,
    readonly: "as it was",
    async read(key: string, times = 1) {
      return key.repeat(times)
    },
    async slow() {
      await Bun.sleep(20)
    },
    async fail(error: Error): Promise<void> {
      throw error
    },
    async isClosed() {
      return this.closed
    },
    async [Symbol.asyncDispose]() {
      this.closed = true
    },
  }
}

test("what is timed behaves as it did, and each operation has metrics of its own", async () => {
  const metrics = createMetrics()
  const own = createPort()
  const port = timed(own, ["read", "slow", "fail", "isClosed"], storeTimings(metrics, "chat"))
  expect(await port.read("ab", 2)).toBe("abab")
  expect(await port.read("ab")).toBe("ab")
  await port.slow()
  expect(port.readonly).toBe("as it was")
  expect(await port.isClosed()).toBe(false)
  for (const error of [unavailable("away"), new Error("broken"), badInput("id", "No id.")]) {
    expect(await port.fail(error).catch((reason) => reason)).toBe(error)
  }
  const text = metrics.text()
  const sample = (name: string, labels: string) =>
    Number(new RegExp(`^parley_chat_store_${name}\\{${labels}\\} (.+)$`, "m").exec(text)?.[1])
  expect(sample("seconds_count", 'operation="read"')).toBe(2)
  expect(sample("seconds_count", 'operation="fail"')).toBe(3)
  expect(sample("failures_total", 'operation="fail"')).toBe(2)
  expect(sample("failures_total", 'operation="read"')).toBe(0)
  expect(sample("seconds_sum", 'operation="slow"')).toBeWithin(0.015, 5)
  expect(sample("seconds_sum", 'operation="read"')).toBeLessThan(0.015)
})
