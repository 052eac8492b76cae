import { describe, expect, test } from "bun:test"
import { Supergraph } from "@apollo/federation-internals"
import { stringifyDocument, type TypedDocumentNode } from "@urql/core"
import { type GraphQLSchema, parse, TypeInfo, validate, visit, visitWithTypeInfo } from "graphql"
import * as documents from "./documents.ts"

const sdl = await Bun.file(new URL("../../gateway/supergraph.graphql", import.meta.url)).text()
const schema = Supergraph.build(sdl).apiSchema().toGraphQLJSSchema() as GraphQLSchema
const all = Object.entries(documents) as unknown as [string, TypedDocumentNode][]

describe("the app's documents", () => {
  test.each(all)("%s fits the supergraph", (_name, document) => {
    expect(validate(schema, parse(stringifyDocument(document)))).toEqual([])
  })

  test("what is subscribed to is the same for everyone who receives it", () => {
    const perViewer = new Set(
      [...sdl.matchAll(/^ {2}(\w+)(?:\([^)]*\))?: .*@viewer/gm)].map(([, field]) => field),
    )
    expect(perViewer.size).toBeGreaterThan(3)
    const selected: string[] = []
    const types = new TypeInfo(schema)
    const note = (field: { name: { value: string } }) => {
      if (types.getParentType()?.name === "Conversation") selected.push(field.name.value)
    }
    const document = parse(stringifyDocument(documents.Events))
    visit(document, visitWithTypeInfo(types, { Field: note }))
    expect(selected.length).toBeGreaterThan(0)
    expect(selected.filter((field) => perViewer.has(field))).toEqual([])
  })
})
