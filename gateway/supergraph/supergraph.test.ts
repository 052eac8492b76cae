import { expect, test } from "bun:test"
import { composeSupergraph, publicSchema } from "../compose.ts"
import publicSdl from "../playground/schema.graphql" with { type: "text" }
import sdl from "../supergraph.graphql" with { type: "text" }
import { loadGraph } from "./supergraph.ts"

test("the supergraph in the repository is what the subgraphs' schemas compose to", async () => {
  // Else: bun gateway/compose.ts
  expect(await composeSupergraph()).toBe(sdl)
})

test("the playground's schema is the public one", () => {
  // Else: bun gateway/compose.ts
  expect(publicSchema(sdl)).toBe(publicSdl)
})

test("the API has none of the federation's machinery", () => {
  const { api } = loadGraph(sdl)
  expect(Object.keys(api.getQueryType()!.getFields())).not.toContain("_entities")
  expect(Object.keys(api.getQueryType()!.getFields())).not.toContain("_service")
  expect(Object.keys(api.getTypeMap()).filter((name) => /^(_|join|link)[^_]/.test(name))).toEqual(
    [],
  )
  expect(api.getDirectives().map(({ name }) => name)).not.toContain("viewer")
})

test("what the subgraphs say of their types is what the API says", () => {
  const { api, subgraphs } = loadGraph(sdl)
  for (const { schema, same } of subgraphs.values()) {
    const shared = Object.keys(api.getTypeMap()).filter(
      (name) => schema.getType(name) && !name.startsWith("__"),
    )
    expect([...same]).toEqual(shared)
  }
})

function rootFieldsWith(directive: string): string[] {
  const { marked } = loadGraph(sdl)
  return [marked.getQueryType()!, marked.getMutationType()!]
    .flatMap((type) => Object.values(type.getFields()))
    .filter(({ astNode }) => astNode?.directives?.some(({ name }) => name.value === directive))
    .map(({ name }) => name)
    .sort()
}

test("the public root fields are those that a visitor needs", () => {
  expect(rootFieldsWith("public")).toEqual(
    ["me", "refreshSession", "signIn", "signOut", "signUp"].sort(),
  )
})

test("the root fields that set cookies say so", () => {
  expect(rootFieldsWith("cookies")).toEqual(
    ["changePassword", "refreshSession", "signIn", "signOut", "signUp"].sort(),
  )
})
