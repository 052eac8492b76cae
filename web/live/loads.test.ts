import { expect, test } from "bun:test"
import { createLoads } from "./loads.ts"
import { until } from "./testing.ts"

test("a screen that opens while an abandoned load has its last request out gets one of its own", async () => {
  const troubles = new Set<string>()
  const setTrouble = (name: string, failing: boolean) =>
    void (failing ? troubles.add(name) : troubles.delete(name))
  const { load } = createLoads({ setTrouble }, () => new AbortController().signal)
  const requests: { answer(): void; fail(): void }[] = []
  const work = () =>
    new Promise<string>((resolve, reject) => {
      requests.push({ answer: () => resolve("here"), fail: () => reject(new Error("No.")) })
    })

  const first = new AbortController()
  const left = load("open c1", work, first.signal)
  first.abort()
  expect(await left).toBeUndefined()
  // It goes on for a second: a screen that is drawn anew finds it there. Then it is given up.
  let again: Promise<string | undefined> | undefined
  const look = async () => {
    const one = new AbortController()
    const found = load("open c1", work, one.signal)
    if (requests.length === 2) again = load("open c1", work)
    one.abort()
    await found
  }
  await until(() => {
    if (!again) void look()
    return again !== undefined
  })
  requests[0]!.fail()
  requests[1]!.answer()
  expect(await again).toBe("here")
  expect(requests.length).toBe(2)
  expect(troubles.size).toBe(0)
})
