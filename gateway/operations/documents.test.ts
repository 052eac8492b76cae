import { expect, test } from "bun:test"
import { silentLogger } from "@parley/platform/log.ts"
import { loadGraph } from "../supergraph/supergraph.ts"
import sdl from "../supergraph.graphql" with { type: "text" }
import { createDocuments } from "./documents.ts"
import { createExecutor } from "./executor.ts"
import type { NewDocuments, Payer } from "./new-documents.ts"

const graph = loadGraph(sdl)
const person = (user: string): Payer => ({ user, address: "127.0.0.1" })

/** Counts the documents that are worked out. */
function counting() {
  const counted = { done: 0 }
  const newDocuments: NewDocuments = {
    work(_payer, work) {
      counted.done++
      return work()
    },
  }
  const documents = createDocuments(graph, { introspection: true }, newDocuments)
  const take = (text: string, payer = person("alice")) => {
    const checked = documents.take(text, undefined, payer)
    if (checked instanceof Promise || checked.errors) throw new Error("not taken")
    return checked.operation
  }
  return { documents, counted, take }
}

test("a document that is known is not worked out again, nor is its plan", () => {
  const { documents, counted, take } = counting()
  const operation = take("{ me { id } }")
  documents.plan(operation, person("alice"))
  expect(counted.done).toBe(2)
  expect(take("{ me { id } }", person("bob"))).toBe(operation)
  documents.plan(operation, person("bob"))
  expect(counted.done).toBe(2)
})

test("a flood of new documents does not push out what several people use", () => {
  const { counted, take } = counting()
  const shared = "{ me { id name } }"
  const operation = take(shared, person("alice"))
  take(shared, person("bob"))
  // Some 60 KiB each: three times what is kept on probation.
  for (let i = 0; i < 400; i++) take(`{ me { a${i}: id } }`, person("mallory"))
  const before = counted.done
  expect(take(shared, person("alice"))).toBe(operation)
  expect(counted.done).toBe(before)
  take("{ me { a0: id } }", person("mallory"))
  expect(counted.done).toBe(before + 1)
})

test("long documents are not kept, and a subgraph gets no comment", () => {
  const { take } = counting()
  const long = `{ me { id } } ${"# a comment\n".repeat(2_000)}`
  const operation = take(long)
  expect(operation.text).not.toContain("#")
  expect(operation.text.length).toBeLessThan(40)
  expect(take(long)).not.toBe(operation)
})

test("errors say where they are in a short document, and only there", () => {
  const { documents } = counting()
  const locations = (text: string) => documents.check(text, undefined).errors?.[0]?.locations
  expect(locations("{ me { nope } }")).toEqual([{ line: 1, column: 8 }])
  expect(locations(`${"\n".repeat(300)}{ me { nope } }`)).toBeUndefined()
})

test("a document that is asked for many times at once waits for its turn once, and so does its plan", async () => {
  const turns: (() => void)[] = []
  const newDocuments: NewDocuments = {
    work: (_payer, work) =>
      new Promise((resolve) => {
        turns.push(() => resolve(work()))
      }),
  }
  const documents = createDocuments(graph, { introspection: true }, newDocuments)
  const taken = Array.from({ length: 100 }, () =>
    documents.take("{ me { id } }", undefined, person("alice")),
  )
  expect(turns).toHaveLength(1)
  turns.pop()!()
  const operations = (await Promise.all(taken)).map((checked) => {
    if (checked.errors) throw new Error("not taken")
    return checked.operation
  })
  expect(new Set(operations).size).toBe(1)
  const planned = operations.map((operation) => documents.plan(operation, person("alice")))
  expect(turns).toHaveLength(1)
  turns.pop()!()
  await Promise.all(planned)
  expect(operations[0]!.isPlanned()).toBe(true)
})

test("of a document with many errors few are named, and a long one gets no lines", () => {
  const { documents } = counting()
  const errors = (text: string) => documents.check(text, undefined).errors!
  const wrong = Array.from({ length: 50 }, (_, i) => `nope${i}`).join(" ")
  // Ten, and one that says that there are more.
  expect(errors(`{ me { ${wrong} } }`)).toHaveLength(11)
  expect(errors("{ me { nope } }".padEnd(10_000))[0]!.locations).toBeDefined()
  expect(errors("{ me { nope } }".padEnd(10_001))[0]!.locations).toBeUndefined()
})

test("what is remembered of long documents weighs as much as they are long", () => {
  const { counted, take } = counting()
  const long = (i: number) => `{ me { a${i}: id } }`.padEnd(9_900)
  take(long(0))
  take(long(0))
  expect(counted.done).toBe(1)
  // Each comes to 1.5 MB, and there is room for 8 MiB.
  for (let i = 1; i < 8; i++) take(long(i))
  take(long(0))
  expect(counted.done).toBe(9)
})

test("what several people use is bounded, too", () => {
  const { counted, take } = counting()
  const several = (i: number) => {
    take(`{ me { a${i}: id } }`, person("alice"))
    take(`{ me { a${i}: id } }`, person("bob"))
  }
  // Some 60 KiB each, of 32 MiB.
  for (let i = 0; i < 600; i++) several(i)
  const before = counted.done
  several(599)
  expect(counted.done).toBe(before)
  several(0)
  expect(counted.done).toBe(before + 1)
})

test("of answers about the schema 1 MiB is remembered", async () => {
  const { take } = counting()
  let made = 0
  const executor = createExecutor({
    graph: {
      ...graph,
      get api() {
        made += 1
        return graph.api
      },
    },
    pools: new Map(),
    log: silentLogger,
  })
  const ask = async (i: number) => {
    const operation = take(`{ a${i}: __schema { types { name fields { name } } } }`)
    const before = made
    const { json } = await executor.run(operation, {}, {} as never)
    return { size: json.length, isMade: made > before }
  }
  const { size } = await ask(0)
  const some = Math.floor((1024 * 1024) / (2 * size))
  // With some room for their keys.
  for (let i = 1; i < 0.9 * some; i++) await ask(i)
  expect((await ask(0)).isMade).toBe(false)
  for (let i = some; i < 2 * some; i++) await ask(i)
  expect((await ask(0)).isMade).toBe(true)
})
