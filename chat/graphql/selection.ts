import { type GraphQLResolveInfo, Kind, type SelectionSetNode } from "graphql"

/** About what a field adds to an answer beside its name: quotes, a colon, a comma, and a number or a word. */
const LEAF = 14
/** The same of an object: its braces, too. */
const OBJECT = 7
/** What the values of these have more than that; texts are charged where they are read. */
const LONGER = new Map<string, number>([
  ["id", 30],
  ["cursor", 30],
  ["startCursor", 30],
  ["endCursor", 30],
  ["at", 18],
  ["sentAt", 18],
  ["createdAt", 18],
  ["joinedAt", 18],
  ["__typename", 18],
])

/** Of documents that are known already; each selection is weighed once, however often it is spread. */
const weighed = new WeakMap<SelectionSetNode, number>()

/**
 * About how many bytes one item of the list that is being resolved has in the answer, without its texts and without
 * lists below it, which count for themselves.
 */
export function itemBytes({ fieldNodes, fragments }: GraphQLResolveInfo): number {
  let bytes = 0
  for (const { selectionSet } of fieldNodes) bytes += weigh(selectionSet, fragments)
  return bytes
}

function weigh(
  selections: SelectionSetNode | undefined,
  fragments: GraphQLResolveInfo["fragments"],
): number {
  if (!selections) return 0
  const known = weighed.get(selections)
  if (known !== undefined) return known
  let bytes = OBJECT
  for (const node of selections.selections) {
    if (node.kind === Kind.FRAGMENT_SPREAD) {
      bytes += weigh(fragments[node.name.value]?.selectionSet, fragments)
    } else if (node.kind === Kind.INLINE_FRAGMENT) {
      bytes += weigh(node.selectionSet, fragments)
    } else {
      bytes += (node.alias ?? node.name).value.length
      bytes += node.selectionSet
        ? weigh(node.selectionSet, fragments)
        : LEAF + (LONGER.get(node.name.value) ?? 0)
    }
  }
  weighed.set(selections, bytes)
  return bytes
}
