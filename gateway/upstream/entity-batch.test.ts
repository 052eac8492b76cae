import { expect, jest, test } from "bun:test"
import { until } from "@parley/testing/until.ts"
import {
  MAX_LOOKUPS_UNDER_WAY,
  MAX_OPERATION_REPRESENTATIONS,
  MAX_REPRESENTATION_BYTES,
  MAX_REPRESENTATIONS,
  MAX_WAITING_LOOKUP_BYTES,
} from "../limits.ts"
import type { Ask } from "./ask.ts"
import type { SubgraphResult } from "./data-sources.ts"
import { createEntityBatch } from "./entity-batch.ts"
import { Spent } from "./spent.ts"

const ask = (...ids: string[]) => ({
  query:
    "query ($representations: [_Any!]!) { _entities(representations: $representations) { id } }",
  variables: { representations: ids.map((id) => ({ id })) },
})

/** A service that answers when it is told to. */
function service(withinMs?: number) {
  const asked: { ids: string[]; answer(result?: SubgraphResult): void }[] = []
  const batch = createEntityBatch((ask) => {
    const ids = (ask.variables!.representations as { id: string }[]).map(({ id }) => id)
    const { promise, resolve } = Promise.withResolvers<SubgraphResult>()
    const all = { data: { _entities: ids.map((id) => ({ id })) } }
    asked.push({ ids, answer: (result = all) => resolve(result) })
    return promise
  }, withinMs)
  const look = (ask: Ask, spent = new Spent()) => batch(ask, spent)
  return { look, asked }
}

test("the first goes out at once, and what comes meanwhile goes out together, each thing once", async () => {
  const { look, asked } = service()
  const first = look(ask("a"))
  const others = [look(ask("b", "c")), look(ask("c")), look(ask("d"))]
  expect(asked.map(({ ids }) => ids)).toEqual([["a"]])
  asked[0]!.answer()
  expect(await first).toEqual({ data: { _entities: [{ id: "a" }] } })
  asked[1]!.answer()
  expect((await Promise.all(others)).map(({ data }) => data!._entities)).toEqual([
    [{ id: "b" }, { id: "c" }],
    [{ id: "c" }],
    [{ id: "d" }],
  ])
  expect(asked.map(({ ids }) => ids)).toEqual([["a"], ["b", "c", "d"]])
})

test("an error reaches those whose entity it is about, at its place in what they asked for", async () => {
  const { look, asked } = service()
  void look(ask("a"))
  const [hit, missed] = [look(ask("b", "c")), look(ask("b"))]
  asked[0]!.answer()
  await Bun.sleep(0)
  const error = { message: "There is no c.", path: ["_entities", 1, "name"] }
  asked[1]!.answer({ data: { _entities: [{ id: "b" }, null] }, errors: [error] })
  expect(await hit).toEqual({ data: { _entities: [{ id: "b" }, null] }, errors: [error] })
  expect(await missed).toEqual({ data: { _entities: [{ id: "b" }] } })
})

test("what waits has a bound, and there is room again once it has been answered", async () => {
  const { look, asked } = service()
  const waiting = Array.from({ length: 10_000 }, (_, i) => look(ask(`${i}`)))
  const refused = look(ask("one more")).catch((error) => error)
  await answerAll(asked, 10_000)
  expect(await Promise.all(waiting.slice(0, 10_000))).toHaveLength(10_000)
  expect(await refused).toMatchObject({ code: "UNAVAILABLE" })
  const later = look(ask("later"))
  asked.at(-1)!.answer()
  expect(await later).toEqual({ data: { _entities: [{ id: "later" }] } })
})

/** Answers whatever is asked, until so many representations have been. */
async function answerAll(asked: ReturnType<typeof service>["asked"], representations: number) {
  const answered = () => asked.slice(0, at).reduce((sum, { ids }) => sum + ids.length, 0)
  let at = 0
  while (answered() < representations) {
    await until(() => asked.length > at, "a question")
    asked[at++]!.answer()
  }
}

test("one that looks up many goes out in parts, several at once, and gets all of it in its order", async () => {
  const { look, asked } = service()
  const ids = Array.from({ length: 5_000 }, (_, i) => `${i}`)
  const many = look(ask(...ids))
  expect(asked.length).toBe(MAX_LOOKUPS_UNDER_WAY)
  await answerAll(asked, ids.length)
  expect((await many).data).toEqual({ _entities: ids.map((id) => ({ id })) })
  expect(asked.map(({ ids }) => ids.length)).toEqual(
    Array.from({ length: ids.length / MAX_REPRESENTATIONS }, () => MAX_REPRESENTATIONS),
  )
})

test("parts are measured in bytes too", async () => {
  const { look, asked } = service()
  const ids = Array.from({ length: 100 }, (_, i) => `${i}`.padEnd(10_000, "x"))
  const many = look(ask(...ids))
  await answerAll(asked, ids.length)
  expect((await many).data!._entities).toHaveLength(ids.length)
  for (const { ids } of asked) {
    expect(JSON.stringify(ids.map((id) => ({ id }))).length).toBeLessThan(
      MAX_REPRESENTATION_BYTES * 1.1,
    )
  }
})

test("one that looks up few is not kept waiting by one that looks up many", async () => {
  const { look, asked } = service()
  const many = look(ask(...Array.from({ length: 10_000 }, (_, i) => `${i}`)))
  const few = look(ask("mine"))
  let isThere = false
  void few.then(() => {
    isThere = true
  })
  for (let i = 0; !isThere; i++) {
    // Those that were out already, and the next.
    expect(i).toBeLessThanOrEqual(MAX_LOOKUPS_UNDER_WAY + 1)
    asked[i]!.answer()
    await Bun.sleep(0)
  }
  expect((await few).data).toEqual({ _entities: [{ id: "mine" }] })
  many.catch(() => {})
})

test("an error in one part is told at its place in the whole, and one of no place once for each part", async () => {
  const { look, asked } = service()
  const ids = Array.from({ length: MAX_REPRESENTATIONS + 1 }, (_, i) => `${i}`)
  const many = look(ask(...ids))
  const place = { message: "There is no 7.", path: ["_entities", 7] }
  const whole = { message: "Something is amiss." }
  const entities = asked[0]!.ids.map((id) => (id === "7" ? null : { id }))
  asked[0]!.answer({ data: { _entities: entities }, errors: [place, whole] })
  await until(() => asked.length === 2, "the second part")
  asked[1]!.answer()
  const { data, errors } = await many
  expect(errors).toEqual([place, whole])
  expect((data!._entities as unknown[]).map((one) => (one as { id: string } | null)?.id)).toEqual(
    ids.map((id) => (id === "7" ? undefined : id)),
  )
})

test("what is not answered in time is given up, and what came later waits on", async () => {
  const { look, asked } = service(50)
  const code = (looked: Promise<unknown>) => looked.then(() => "there").catch((error) => error.code)
  const late = code(look(ask("a")))
  const behind = code(look(ask("b")))
  expect([await late, await behind]).toEqual(["UNAVAILABLE", "UNAVAILABLE"])
  expect(asked.length).toBe(1)
  const next = look(ask("c"))
  asked[0]!.answer()
  await until(() => asked.length === 2, "the next question")
  // Neither a nor b is waited for any more.
  expect(asked[1]!.ids).toEqual(["c"])
  asked[1]!.answer()
  expect(await next).toEqual({ data: { _entities: [{ id: "c" }] } })
})

test("what one operation looks up, and what becomes of it, has a bound", async () => {
  const spent = new Spent(10_000)
  expect(() => spent.lookUp(MAX_OPERATION_REPRESENTATIONS)).not.toThrow()
  expect(() => spent.lookUp(1)).toThrow("more than")
  // The same entity in many places is copied to each.
  const { look, asked } = service()
  const many = look(ask(...Array.from({ length: 2_000 }, () => "one")), spent)
  expect(asked.map(({ ids }) => ids)).toEqual([["one"]])
  asked[0]!.answer()
  expect(await many.catch((error) => error)).toMatchObject({ code: "TOO_LARGE" })
})

test("what waits is bounded in bytes, what it is asked with among them", async () => {
  const { look, asked } = service()
  const large = () => ask(...Array.from({ length: 100 }, (_, i) => `${i}`.padEnd(100_000, "x")))
  const waiting = Array.from({ length: MAX_WAITING_LOOKUP_BYTES / 10_000_000 + 1 }, () =>
    look(large()).catch((error) => error.code),
  )
  expect(await waiting.at(-1)).toBe("UNAVAILABLE")
  expect(asked.length).toBeGreaterThan(0)

  const others = service()
  const long = (i: number) => ({ ...ask("a"), query: `${i} ${"x".repeat(1_000_000)}` })
  const many = Array.from({ length: MAX_WAITING_LOOKUP_BYTES / 1_000_000 + 1 }, (_, i) =>
    others.look(long(i)).catch((error) => error.code),
  )
  expect(await many.at(-1)).toBe("UNAVAILABLE")
})

test("a look-up is waited for as long as for any answer of a subgraph", async () => {
  jest.useFakeTimers()
  try {
    const { look } = service()
    let outcome: unknown
    void look(ask("a")).catch((error) => {
      outcome = error.code
    })
    const pass = async (ms: number) => {
      jest.advanceTimersByTime(ms)
      for (let i = 0; i < 10; i++) await Promise.resolve()
      return outcome
    }
    expect([await pass(4_900), await pass(200)]).toEqual([undefined, "UNAVAILABLE"])
  } finally {
    jest.useRealTimers()
  }
})
