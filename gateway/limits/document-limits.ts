import {
  type ASTNode,
  type DocumentNode,
  type FragmentDefinitionNode,
  GraphQLError,
  Kind,
  type OperationDefinitionNode,
  type SelectionNode,
  type SelectionSetNode,
  type ValueNode,
} from "graphql"
import { DOCUMENT_LIMITS } from "../limits.ts"
import { pairsOf } from "./pairs.ts"

/** What a selection comes to with its fragments opened. */
interface Measure {
  depth: number
  nesting: number
  fields: number
  /** Fields of the selection's own level: an operation's root fields. */
  ownFields: number
  aliases: number
  directives: number
  inlineFragments: number
  introspections: number
}

type Limit = keyof typeof DOCUMENT_LIMITS

/**
 * Refuses documents that would cost more than any honest one, before they are validated and planned: both take time
 * that grows faster than the document. Each fragment is measured once, so a document whose fragments multiply costs no
 * more to measure than its text is long.
 * @returns what is wrong, or undefined. Cyclic fragments are left for validation to name.
 * @throws RangeError where a document is nested deeper than the stack
 */
export function exceeds(document: DocumentNode): GraphQLError | undefined {
  const operations: OperationDefinitionNode[] = []
  const fragments = new Map<string, FragmentDefinitionNode>()
  let fragmentCount = 0
  for (const definition of document.definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) {
      fragments.set(definition.name.value, definition)
      fragmentCount++
    } else if (definition.kind === Kind.OPERATION_DEFINITION) operations.push(definition)
  }
  if (operations.length > DOCUMENT_LIMITS.operations) return tooMany("operations")
  if (fragmentCount > DOCUMENT_LIMITS.fragments) return tooMany("fragments")
  const written = exceedsAsWritten(document)
  if (written) return tooMany(written)

  const measure = createMeasure(fragments)
  const total = { fields: 0, aliases: 0, directives: 0, inlineFragments: 0 }
  // Fragments first: one that no operation spreads is validated too, and must not escape its measure.
  for (const name of fragments.keys()) {
    const excess = exceedsAlone(measure.fragment(name))
    if (excess) return tooMany(excess)
    if (pairsOf(fragments.get(name)!.selectionSet, fragments) > DOCUMENT_LIMITS.pairs) {
      return tooMany("pairs")
    }
  }
  for (const operation of operations) {
    const own = measure.selections(operation.selectionSet)
    const excess = exceedsAlone(own)
    if (excess) return tooMany(excess)
    if (own.ownFields > DOCUMENT_LIMITS.rootFields) return tooMany("rootFields")
    if (pairsOf(operation.selectionSet, fragments) > DOCUMENT_LIMITS.pairs) return tooMany("pairs")
    if (own.introspections > 0 && own.aliases > DOCUMENT_LIMITS.introspectionAliases) {
      return tooMany("introspectionAliases")
    }
    total.fields += own.fields
    total.aliases += own.aliases
    total.inlineFragments += own.inlineFragments
    total.directives += own.directives + (operation.directives?.length ?? 0)
    for (const what of ["fields", "aliases", "directives", "inlineFragments"] as const) {
      if (total[what] > DOCUMENT_LIMITS[what]) return tooMany(what)
    }
  }
  return undefined
}

function exceedsAlone(measure: Measure): Limit | undefined {
  for (const what of ["depth", "nesting", "fields", "inlineFragments"] as const) {
    if (measure[what] > DOCUMENT_LIMITS[what]) return what
  }
  return undefined
}

function createMeasure(fragments: ReadonlyMap<string, FragmentDefinitionNode>) {
  const measured = new Map<string, Measure>()

  function ofFragment(name: string): Measure {
    const known = measured.get(name)
    if (known) return known
    // A cycle comes back here while it is being measured, and adds nothing.
    const measure = nothing()
    measured.set(name, measure)
    const fragment = fragments.get(name)
    if (fragment) Object.assign(measure, ofSelections(fragment.selectionSet))
    return measure
  }

  function inside(selection: SelectionNode): Measure | undefined {
    if (selection.kind === Kind.FRAGMENT_SPREAD) return ofFragment(selection.name.value)
    return selection.selectionSet && ofSelections(selection.selectionSet)
  }

  function ofSelections({ selections }: SelectionSetNode): Measure {
    const sum = nothing()
    for (const selection of selections) {
      const inner = inside(selection) ?? NOTHING
      const isField = selection.kind === Kind.FIELD ? 1 : 0
      sum.depth = Math.max(sum.depth, isField + inner.depth)
      sum.nesting = Math.max(sum.nesting, 1 + inner.nesting)
      sum.fields += isField + inner.fields
      sum.ownFields += isField || inner.ownFields
      sum.aliases += inner.aliases + (selection.kind === Kind.FIELD && selection.alias ? 1 : 0)
      sum.directives += inner.directives + (selection.directives?.length ?? 0)
      sum.introspections += inner.introspections + (isIntrospection(selection) ? 1 : 0)
      sum.inlineFragments +=
        inner.inlineFragments + (selection.kind === Kind.INLINE_FRAGMENT ? 1 : 0)
    }
    return sum
  }

  return { fragment: ofFragment, selections: ofSelections }
}

const isIntrospection = (selection: SelectionNode) =>
  selection.kind === Kind.FIELD && ["__schema", "__type"].includes(selection.name.value)

const nothing = (): Measure => ({
  depth: 0,
  nesting: 0,
  fields: 0,
  ownFields: 0,
  aliases: 0,
  directives: 0,
  inlineFragments: 0,
  introspections: 0,
})
const NOTHING: Readonly<Measure> = nothing()

/** What counts as often as it is written, however often its fragment is spread. */
function exceedsAsWritten(document: DocumentNode): Limit | undefined {
  let spreads = 0
  let directives = 0

  function look(node: ASTNode): Limit | undefined {
    if ("directives" in node) {
      directives += node.directives?.length ?? 0
      if (directives > DOCUMENT_LIMITS.directives) return "directives"
      for (const directive of node.directives ?? []) {
        if (directive.arguments?.some(isTooDeep)) return "valueDepth"
      }
    }
    if ("arguments" in node && node.arguments?.some((one) => "value" in one && isTooDeep(one))) {
      return "valueDepth"
    }
    if (node.kind === Kind.FRAGMENT_SPREAD && ++spreads > DOCUMENT_LIMITS.spreads) return "spreads"
    if ("variableDefinitions" in node) {
      const variables = node.variableDefinitions ?? []
      if (variables.length > DOCUMENT_LIMITS.variables) return "variables"
      for (const variable of variables) {
        if (variable.defaultValue && depthOf(variable.defaultValue) > DOCUMENT_LIMITS.valueDepth) {
          return "valueDepth"
        }
        const excess = look(variable)
        if (excess) return excess
      }
    }
    if ("selectionSet" in node && node.selectionSet) {
      for (const selection of node.selectionSet.selections) {
        const excess = look(selection)
        if (excess) return excess
      }
    }
    return undefined
  }

  for (const definition of document.definitions) {
    const excess = look(definition)
    if (excess) return excess
  }
  return undefined
}

const isTooDeep = ({ value }: { value: ValueNode }) => depthOf(value) > DOCUMENT_LIMITS.valueDepth

/** Levels of lists and objects; stops counting beyond the limit. */
function depthOf(value: ValueNode, level = 0): number {
  const inner =
    value.kind === Kind.LIST
      ? value.values
      : value.kind === Kind.OBJECT
        ? value.fields.map(({ value }) => value)
        : []
  if (inner.length === 0 || level > DOCUMENT_LIMITS.valueDepth) return level
  let deepest = level
  for (const one of inner) deepest = Math.max(deepest, depthOf(one, level + 1))
  return deepest
}

const WORDS: Record<Limit, string> = {
  tokens: "tokens",
  depth: "levels of fields",
  nesting: "levels of braces",
  valueDepth: "levels in one value",
  fields: "fields",
  rootFields: "root fields",
  aliases: "aliases",
  introspectionAliases: "aliases where it asks about the schema",
  directives: "directives",
  operations: "operations",
  fragments: "fragments",
  spreads: "spreads of fragments",
  inlineFragments: "inline fragments",
  variables: "variables",
  pairs: "pairs of fields with the same name",
}

const tooMany = (what: Limit) =>
  new GraphQLError(`A document may have ${DOCUMENT_LIMITS[what]} ${WORDS[what]}.`, {
    extensions: { code: "GRAPHQL_VALIDATION_FAILED", retryable: false },
  })
