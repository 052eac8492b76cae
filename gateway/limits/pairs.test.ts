import { expect, test } from "bun:test"
import { type FragmentDefinitionNode, Kind, type OperationDefinitionNode, parse } from "graphql"
import { DOCUMENT_LIMITS } from "../limits.ts"
import { exceeds } from "./document-limits.ts"
import { pairsOf } from "./pairs.ts"

function pairsIn(text: string): number {
  const { definitions } = parse(text)
  const fragments = new Map(
    definitions.flatMap((one): [string, FragmentDefinitionNode][] =>
      one.kind === Kind.FRAGMENT_DEFINITION ? [[one.name.value, one]] : [],
    ),
  )
  const operation = definitions.find((one) => one.kind === Kind.OPERATION_DEFINITION)
  return pairsOf((operation as OperationDefinitionNode).selectionSet, fragments)
}
const times = (count: number, text: string) => Array.from({ length: count }, () => text).join(" ")

test.each([
  ["{ me { id name } }", 0],
  ["{ me { id id id } }", 3],
  ["{ me { id } me { id } me { id } }", 6],
  ["{ me { id x: id ... { id } ... on User { x: id } } }", 2],
  ["{ me { ...F ...F id } } fragment F on User { id }", 1],
  ["{ a: me { ...F } b: me { ...F } } fragment F on User { id }", 0],
  ["{ me { ...F ...G } } fragment F on User { id ...G } fragment G on User { id }", 1],
])("%s: %d", (text, pairs) => {
  expect(pairsIn(text)).toBe(pairs)
})

test("fields that repeat are refused by their pairs, wherever they are written", () => {
  const refused = (text: string) => exceeds(parse(text))?.message
  const tooMany = `A document may have ${DOCUMENT_LIMITS.pairs} pairs of fields with the same name.`
  expect(refused(`{ me { ${times(70, "id")} } }`)).toBeUndefined()
  expect(refused(`{ me { ${times(90, "id")} } }`)).toBe(tooMany)
  expect(refused(`{ ${times(19, "me { id id id id id }")} }`)).toBe(tooMany)
  expect(refused(`{ me { id } } fragment F on User { ${times(90, "id")} }`)).toBe(tooMany)
  const fragments = times(25, "")
    .split(" ")
    .map((_, i) => `fragment F${i} on User { id id id id }`)
  const spreads = fragments.map((_, i) => `...F${i}`).join(" ")
  expect(refused(`{ me { ${spreads} } } ${fragments.join(" ")}`)).toBe(tooMany)
})

test("cycles of fragments are counted no longer than documents without them", () => {
  const cycle = "{ me { ...F } } fragment F on User { a: me { ...F } b: me { ...F } id }"
  expect(pairsIn(cycle)).toBeLessThanOrEqual(DOCUMENT_LIMITS.pairs + DOCUMENT_LIMITS.fields)
})
