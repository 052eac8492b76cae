import { expect, test } from "bun:test"
import { loadGraph } from "../supergraph/supergraph.ts"
import sdl from "../supergraph.graphql" with { type: "text" }
import { fuzzDocuments, timeCheck } from "./fuzz.ts"

const COUNT = 1_000
const graph = loadGraph(sdl)

test("no hostile document takes 20 ms before it is refused or planned", () => {
  const seed = Math.floor(Math.random() * 1e9)
  const { ready, refused, slowest } = fuzzDocuments(graph, {
    count: COUNT,
    seed,
    slowMs: 20,
  })
  // Again: bun gateway/test/fuzz.ts 1 <seed>
  expect(slowest.map(({ seed, ms, outcome }) => ({ seed, ms, outcome }))).toEqual([])
  // Documents that are all refused at once would say nothing of validation.
  expect(ready).toBeGreaterThan(COUNT / 50)
  expect(refused).toBeGreaterThan(COUNT / 4)
}, 120_000)

const repeat = (count: number, text: (i: number) => string) =>
  Array.from({ length: count }, (_, i) => text(i)).join(" ")
const inEach = "id me { user { id } } lastMessage { sender { id } text conversation { id title } }"
const page = (inside: string) => `{ conversations { edges { node { ${inside} } } } }`
const ids = (count: number) => repeat(count, () => "id")

/** Each is just within the limits and heavy for one of the rules of validation, or just beyond a limit. */
const HEAVY: Record<string, string> = {
  "fragments that are all compared": `${page(repeat(30, (i) => `...F${i}`))}
    ${repeat(30, (i) => `fragment F${i} on Conversation { ${inEach} }`)}`,
  "fragments that spread each other": `${page("...F0 ...F1 ...F2")}
    ${repeat(30, (i) => `fragment F${i} on Conversation { id ${i < 28 ? `...F${i + 1}` : ""} }`)}`,
  "one field many times": `{ me { ${ids(495)} } }`,
  "two fields many times, in conflict": `{ a: conversation(id: 1) { ${ids(240)} } a: me { ${ids(240)} } }`,
  "conflicts far down": `${"\n".repeat(190)} { a: conversation(id: 1) { ${ids(240)} } a: me { ${ids(240)} } }`,
  "many inline fragments": `{ me { ${repeat(98, () => "... { id name ... on User { about } }")} } }`,
  "deep inline fragments": `{ me { ${repeat(2, () => `${"... { ".repeat(45)} id ${"}".repeat(45)}`)} } }`,
  "operations that share fragments": `${repeat(20, (i) => `query Q${i}($a: ID!) { conversation(id: $a) { ...F } }`)}
    fragment F on Conversation { ${ids(20)} }`,
  "a wide value": `{ users(search: "a", first: [${repeat(3_900, () => "1")}]) { id } }`,
  "an argument many times": `{ user(${repeat(1_200, () => 'username: "a"')}) { id } }`,
  "a type of many lists": `query ($a: ${"[".repeat(1_900)}Int${"]".repeat(1_900)}) { me { id } }`,
  "a long name": `{ me { ${"a".repeat(60_000)} } }`,
  comments: `{ me { id } } ${"#\n".repeat(32_000)}`,
  "too many comments": `{ me { id } } ${"#\n".repeat(120_000)}`,
  "fragments that double": `{ ...F0 } ${repeat(29, (i) => `fragment F${i} on Query { ...F${i + 1} ...F${i + 1} }`)}`,
}

for (const [name, text] of Object.entries(HEAVY)) {
  test(`a document does not take 20 ms that has ${name}`, () => {
    expect(timeCheck(graph, text, 20).ms).toBeLessThan(20)
  })
}
