import { expect, test } from "bun:test"
import { silentLogger } from "@parley/platform/log.ts"
import { loadGraph } from "../supergraph/supergraph.ts"
import sdl from "../supergraph.graphql" with { type: "text" }
import { NOBODY } from "../upstream/caller.ts"
import { createDocuments } from "./documents.ts"
import { createExecutor } from "./executor.ts"

test("an answer about the schema goes by the variables of its request", async () => {
  const deprecated = sdl.replace("avatarUrl: String @join", "avatarUrl: String @deprecated @join")
  expect(deprecated).not.toBe(sdl)
  const graph = loadGraph(deprecated)
  const executor = createExecutor({ graph, pools: new Map(), log: silentLogger })
  const text = `query Fields($all: Boolean) {
    __type(name: "User") { fields(includeDeprecated: $all) { name } }
  }`
  const { operation } = createDocuments(graph, { introspection: true }).check(text, undefined) as {
    operation: Parameters<typeof executor.run>[0]
  }
  for (const [variables, isThere] of [
    [{}, false],
    [{ all: true }, true],
    [{}, false],
  ] as const) {
    const { json } = await executor.run(operation, variables, NOBODY)
    expect(json.includes('"avatarUrl"')).toBe(isThere)
  }
})
