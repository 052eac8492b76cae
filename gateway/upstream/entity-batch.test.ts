import { expect, test } from "bun:test"
import type { SubgraphResult } from "./data-sources.ts"
import { createEntityBatch } from "./entity-batch.ts"

const ask = (...ids: string[]) => ({
  query:
    "query ($representations: [_Any!]!) { _entities(representations: $representations) { id } }",
  variables: { representations: ids.map((id) => ({ id })) },
})

/** A service that answers when it is told to. */
function service() {
  const asked: { ids: string[]; answer(result?: SubgraphResult): void }[] = []
  const look = createEntityBatch((ask) => {
    const ids = (ask.variables!.representations as { id: string }[]).map(({ id }) => id)
    const { promise, resolve } = Promise.withResolvers<SubgraphResult>()
    const all = { data: { _entities: ids.map((id) => ({ id })) } }
    asked.push({ ids, answer: (result = all) => resolve(result) })
    return promise
  })
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
  const waiting = Array.from({ length: 10_001 }, (_, i) => look(ask(`${i}`)))
  const refused = look(ask("one more")).catch((error) => error)
  for (let i = 0; i < asked.length; i++) {
    asked[i]!.answer()
    await Bun.sleep(0)
  }
  expect(await Promise.all(waiting)).toHaveLength(10_001)
  expect(await refused).toMatchObject({ code: "UNAVAILABLE" })
  const later = look(ask("later"))
  asked.at(-1)!.answer()
  expect(await later).toEqual({ data: { _entities: [{ id: "later" }] } })
})
