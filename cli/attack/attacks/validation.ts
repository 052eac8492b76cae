import type { Attack } from "../attack.ts"
import { floodWith } from "../documents.ts"
import { nonce } from "../flood.ts"

const times = (count: number, each: (index: number) => string, separator = " ") =>
  Array.from({ length: count }, (_, index) => each(index)).join(separator)

const nested = (levels: number): string => (levels === 0 ? "1" : `[${nested(levels - 1)}]`)

/** Documents that pass for small, and are dear to validate. Each is another text, so that no cache helps. */
export const DOCUMENTS: Record<string, (index: number) => string> = {
  "spreads of fragments": () =>
    `{ me { ${times(400, (i) => `...F${i}`)} } } ${times(400, (i) => `fragment F${i} on User { id }`)} # ${nonce()}`,
  "fields that repeat": () => `{ me { ${times(480, () => "id")} } } # ${nonce()}`,
  "lists that repeat": () =>
    `{ conversation(id: "x") { ${times(230, () => "messages(first: 1) { __typename }")} } } # ${nonce()}`,
  "arguments that differ": () =>
    `{ conversation(id: "x") { ${times(230, (i) => `messages(first: ${i}) { __typename }`)} } } # ${nonce()}`,
  "fields that overlap": () => `{ me { ${times(950, () => "id")} } } # ${nonce()}`,
  "fragments that overlap": () =>
    `{ me { ${times(30, (i) => `...F${i}`)} } } ${times(30, (i) => `fragment F${i} on User { ${times(30, (j) => `a${j}: id`)} }`)} # ${nonce()}`,
  "many operations": () =>
    `${times(20, (i) => `query q${i} { me { ${times(45, () => "id name")} } }`)} # ${nonce()}`,
  "deep values": () => `{ user(username: ${nested(1_500)}) { id } } # ${nonce()}`,
  "long names": () => `{ me { ${nonce(100_000)}: id } } # ${nonce()}`,
  "fields that do not exist": () => `{ me { ${times(900, (i) => `usernam${i}`)} } } # ${nonce()}`,
  "variables without a use": () =>
    `query(${times(900, (i) => `$v${i}: Int`)}) { me { id } } # ${nonce()}`,
  "arguments that do not exist": () =>
    `{ me { ${times(300, (i) => `id(a${i}: 1)`)} } } # ${nonce()}`,
  "a chain of fragments": () =>
    `{ me { ...F0 } } ${times(300, (i) => `fragment F${i} on User { id ...F${i + 1} }`)} fragment F300 on User { id } # ${nonce()}`,
  comments: () => `{ me { id } } ${"#\n".repeat(60_000)} # ${nonce()}`,
}

export const validation: Attack = {
  name: "validation",
  by: "stranger",
  with: "documents of some KB that take long to validate, 15 a second, each another text",
  expected:
    "`GRAPHQL_PARSE_FAILED` or `GRAPHQL_VALIDATION_FAILED` before validation; `RATE_LIMITED` for a flood",
  variants: Object.entries(DOCUMENTS).map(([name, make]) =>
    floodWith({ name, make, perSecond: 15, atOnce: 12, forbidden: /^UNAVAILABLE$/ }),
  ),
}
