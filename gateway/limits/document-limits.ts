import {
  type DocumentNode,
  type FragmentDefinitionNode,
  GraphQLError,
  Kind,
  type SelectionSetNode,
} from "graphql"

/** What a document may ask for. Far above what people's screens need; far below what hurts. */
export const DOCUMENT_LIMITS = {
  /** Counted by the parser, which stops there. */
  tokens: 4_000,
  /** Levels of fields, fragments opened. */
  depth: 20,
  /** Fields, fragments opened wherever they are spread. */
  fields: 1_000,
  rootFields: 20,
  aliases: 100,
  directives: 50,
  operations: 20,
} as const

interface Measure {
  depth: number
  fields: number
  aliases: number
  directives: number
}

/**
 * Refuses documents that would cost more than any honest one, before they are validated and planned: both take time
 * that grows faster than the document. Each fragment is measured once, so a document whose fragments multiply costs no
 * more to measure than its text is long.
 * @returns what is wrong, or undefined. Cyclic fragments are left for validation to name.
 */
export function exceeds(document: DocumentNode): GraphQLError | undefined {
  const fragments = new Map<string, FragmentDefinitionNode>()
  const operations = []
  for (const definition of document.definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) {
      fragments.set(definition.name.value, definition)
    } else if (definition.kind === Kind.OPERATION_DEFINITION) operations.push(definition)
  }
  if (operations.length > DOCUMENT_LIMITS.operations) return tooMany("operations")

  const measured = new Map<string, Measure>()
  const total = { fields: 0, aliases: 0, directives: 0 }

  function measureFragment(name: string): Measure {
    const known = measured.get(name)
    if (known) return known
    // A cycle comes back here while it is being measured, and adds nothing.
    const measure: Measure = { depth: 0, fields: 0, aliases: 0, directives: 0 }
    measured.set(name, measure)
    const fragment = fragments.get(name)
    if (fragment) Object.assign(measure, measureSelections(fragment.selectionSet))
    return measure
  }

  function measureSelections({ selections }: SelectionSetNode): Measure {
    const sum: Measure = { depth: 0, fields: 0, aliases: 0, directives: 0 }
    for (const selection of selections) {
      let inner: Measure | undefined
      let isField = 0
      sum.directives += selection.directives?.length ?? 0
      if (selection.kind === Kind.FIELD) {
        isField = 1
        if (selection.alias) sum.aliases++
        if (selection.selectionSet) inner = measureSelections(selection.selectionSet)
      } else if (selection.kind === Kind.INLINE_FRAGMENT) {
        inner = measureSelections(selection.selectionSet)
      } else inner = measureFragment(selection.name.value)
      sum.depth = Math.max(sum.depth, isField + (inner?.depth ?? 0))
      sum.fields += isField + (inner?.fields ?? 0)
      sum.aliases += inner?.aliases ?? 0
      sum.directives += inner?.directives ?? 0
    }
    return sum
  }

  // Fragments first: one that nothing spreads is validated too, and must not escape its measure.
  for (const name of fragments.keys()) {
    if (measureFragment(name).fields > DOCUMENT_LIMITS.fields) return tooMany("fields")
  }
  for (const operation of operations) {
    const measure = measureSelections(operation.selectionSet)
    if (measure.depth > DOCUMENT_LIMITS.depth) return tooDeep()
    if (rootCount(operation.selectionSet, fragments, new Set()) > DOCUMENT_LIMITS.rootFields) {
      return tooMany("rootFields")
    }
    total.fields += measure.fields
    total.aliases += measure.aliases
    total.directives += measure.directives + (operation.directives?.length ?? 0)
    for (const what of ["fields", "aliases", "directives"] as const) {
      if (total[what] > DOCUMENT_LIMITS[what]) return tooMany(what)
    }
  }
  return undefined
}

function rootCount(
  { selections }: SelectionSetNode,
  fragments: ReadonlyMap<string, FragmentDefinitionNode>,
  open: Set<string>,
): number {
  let count = 0
  for (const selection of selections) {
    if (count > DOCUMENT_LIMITS.rootFields) return count
    if (selection.kind === Kind.FIELD) count++
    else if (selection.kind === Kind.INLINE_FRAGMENT) {
      count += rootCount(selection.selectionSet, fragments, open)
    } else {
      const { value: name } = selection.name
      const fragment = fragments.get(name)
      if (!fragment || open.has(name)) continue
      open.add(name)
      count += rootCount(fragment.selectionSet, fragments, open)
      open.delete(name)
    }
  }
  return count
}

const WORDS = {
  operations: "operations",
  fields: "fields",
  rootFields: "root fields",
  aliases: "aliases",
  directives: "directives",
}

const tooMany = (what: keyof typeof WORDS) =>
  refusal(`A document may have ${DOCUMENT_LIMITS[what]} ${WORDS[what]}.`)

const tooDeep = () => refusal(`A document may be ${DOCUMENT_LIMITS.depth} levels of fields deep.`)

const refusal = (message: string) =>
  new GraphQLError(message, { extensions: { code: "GRAPHQL_VALIDATION_FAILED", retryable: false } })
