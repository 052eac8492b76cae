import { expect, test } from "bun:test"
import { until } from "@parley/testing/until.ts"
import { MAX_WAITING_SUBSCRIPTION_BYTES } from "../limits.ts"
import { createWaiting } from "./waiting.ts"

const refusal = () => new Error("There is none.")
/** Why it is refused at once; undefined where it waits. */
const refused = (waiting: Promise<string>) =>
  Promise.race([waiting.catch((error) => error.message), new Promise(setImmediate)])

test("who waits gets what there is as soon as there is one, not all in one crowd, in their order", async () => {
  const waiting = createWaiting<string>(10_000, refusal)
  let there = false
  const served: number[] = []
  const all = Array.from({ length: 1_200 }, (_, i) =>
    // Every fourth wants something else, which does not keep the others waiting.
    waiting
      .wait(() => (there && i % 4 > 0 ? "here" : undefined))
      .then(
        () => served.push(i),
        () => {},
      ),
  )
  waiting.release()
  await Promise.resolve()
  expect(served).toEqual([])
  there = true
  for (const expected of [500, 900, 900]) {
    waiting.release()
    await new Promise(setImmediate)
    expect(served.length).toBe(expected)
  }
  expect(served).toEqual(served.toSorted((a, b) => a - b))
  waiting.close()
  await Promise.all(all)
  expect(served.length).toBe(900)
})

test("who has waited long enough is refused, and who came later waits on", async () => {
  const waiting = createWaiting<string>(1_000, refusal)
  const refused: string[] = []
  const wait = (who: string) => waiting.wait(() => undefined).catch(() => refused.push(who))
  const since = performance.now()
  const early = wait("early")
  await until(() => performance.now() - since > 500)
  const late = wait("late")
  await until(() => {
    waiting.expire()
    return performance.now() - since > 1_001
  })
  await early
  expect(refused).toEqual(["early"])
  waiting.close()
  await late
  expect(refused).toEqual(["early", "late"])
})

test("what cannot be opened at all is told why, and keeps no others waiting", async () => {
  const waiting = createWaiting<string>(10_000, refusal)
  let there = false
  const broken = waiting.wait(() => {
    if (there) throw new Error("This is too large.")
    return undefined
  })
  const other = waiting.wait(() => (there ? "here" : undefined))
  waiting.release()
  there = true
  waiting.release()
  expect(await broken.catch((error) => error.message)).toBe("This is too large.")
  expect(await other).toBe("here")
})

test("there is an end to how much may wait", async () => {
  const waiting = createWaiting<string>(10_000, refusal)
  const half = MAX_WAITING_SUBSCRIPTION_BYTES / 2
  const all = [1, 2].map(() => waiting.wait(() => undefined, half).catch(() => "gone"))
  expect(await refused(waiting.wait(() => "here", 1))).toBe("There is none.")
  waiting.close()
  expect(await Promise.all(all)).toEqual(["gone", "gone"])
  const next = waiting.wait(() => "here", half)
  waiting.release()
  expect(await next).toBe("here")
})

test("there is an end to how many may wait", async () => {
  const waiting = createWaiting<string>(10_000, refusal)
  const all = Array.from({ length: 50_000 }, () => waiting.wait(() => undefined).catch(() => {}))
  expect(await refused(waiting.wait(() => "here"))).toBe("There is none.")
  waiting.close()
  await Promise.all(all)
})
