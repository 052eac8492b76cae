import { type FieldNode, type FragmentDefinitionNode, Kind, type SelectionSetNode } from "graphql"
import { DOCUMENT_LIMITS } from "../limits.ts"

/**
 * Counts the pairs of fields that share a place in the answer: validation compares each with each (the rule that
 * overlapping fields can be merged), and what they select below, too. Fragments are opened, and each once at a place.
 * @param selectionSet what has passed the limit on fields: its opened fields are few
 * @returns the number of pairs, or one that is over the limit where counting was given up there. Cycles of fragments are
 * followed no further than a document without them could go: validation names them.
 */
export function pairsOf(
  selectionSet: SelectionSetNode,
  fragments: ReadonlyMap<string, FragmentDefinitionNode>,
): number {
  let pairs = 0
  let visited = 0

  function count(sets: readonly SelectionSetNode[]): void {
    const byName = new Map<string, FieldNode[]>()
    const opened = new Set<string>()

    function collect({ selections }: SelectionSetNode): void {
      for (const selection of selections) {
        if (selection.kind === Kind.FIELD) {
          visited += 1
          const name = (selection.alias ?? selection.name).value
          const fields = byName.get(name)
          if (fields) pairs += fields.push(selection) - 1
          else byName.set(name, [selection])
        } else if (selection.kind === Kind.INLINE_FRAGMENT) collect(selection.selectionSet)
        else if (!opened.has(selection.name.value)) {
          opened.add(selection.name.value)
          const fragment = fragments.get(selection.name.value)
          if (fragment) collect(fragment.selectionSet)
        }
      }
    }

    for (const set of sets) collect(set)
    for (const fields of byName.values()) {
      if (pairs > DOCUMENT_LIMITS.pairs || visited > DOCUMENT_LIMITS.fields) return
      const below = fields.flatMap(({ selectionSet }) => (selectionSet ? [selectionSet] : []))
      if (below.length > 0) count(below)
    }
  }

  count([selectionSet])
  return pairs
}
