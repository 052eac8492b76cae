import { badInput } from "@parley/platform/errors.ts"
import { checkCount } from "../domain/checks.ts"
import { LIST_PAGE } from "../limits.ts"

export interface Edge<Node> {
  /** Made when asked for: most documents ask for the cursors at both ends at the most. */
  cursor(): string
  node: Node
}

export interface Connection<Node> {
  edges: Edge<Node>[]
  pageInfo: {
    hasNextPage: boolean
    hasPreviousPage: boolean
    startCursor: (() => string) | null
    endCursor: (() => string) | null
  }
}

/** @throws ParleyError BAD_INPUT unless it is a whole number from 1 to 200. */
export const checkPage = (size: number, field: string): number =>
  checkCount(size, field, LIST_PAGE, 1)

/** A connection as Relay's Cursor Connections Specification has it. */
export function connection<Node>(
  edges: Edge<Node>[],
  more: { hasNextPage?: boolean; hasPreviousPage?: boolean },
): Connection<Node> {
  return {
    edges,
    pageInfo: {
      hasNextPage: more.hasNextPage ?? false,
      hasPreviousPage: more.hasPreviousPage ?? false,
      startCursor: edges[0]?.cursor ?? null,
      endCursor: edges.at(-1)?.cursor ?? null,
    },
  }
}

/** Cursors are opaque to clients: a kind and its values, so that one list's cursor is refused by another. */
export const toCursor = (kind: string, ...values: (string | number)[]): string =>
  Buffer.from([kind, ...values].join(" ")).toString("base64url")

/** @throws ParleyError BAD_INPUT unless it is a cursor of that kind with that many values. */
export function fromCursor(cursor: string, kind: string, field: string, values = 1): string[] {
  const [found, ...parts] = Buffer.from(cursor, "base64url").toString().split(" ")
  if (found !== kind || parts.length !== values || parts.includes("")) throw brokenCursor(field)
  return parts
}

/** A cursor that holds a seq. */
export function seqFromCursor(cursor: string, kind: string, field: string): number {
  return wholeNumber(fromCursor(cursor, kind, field)[0]!, field)
}

/** A cursor that holds a time and an id. */
export function placeFromCursor(
  cursor: string,
  kind: string,
  field: string,
): { at: number; id: string } {
  const [at, id] = fromCursor(cursor, kind, field, 2)
  return { at: wholeNumber(at!, field), id: id! }
}

function wholeNumber(text: string, field: string): number {
  const number = Number(text)
  if (!Number.isSafeInteger(number) || number < 0) throw brokenCursor(field)
  return number
}

const brokenCursor = (field: string) => badInput(field, "That is not a cursor of this list.")
