import {
  type FragmentDefinitionNode,
  type GraphQLField,
  type GraphQLNamedType,
  type GraphQLObjectType,
  type GraphQLSchema,
  getDirectiveValues,
  getNamedType,
  isAbstractType,
  isInterfaceType,
  isListType,
  isNonNullType,
  isObjectType,
  Kind,
  type OperationDefinitionNode,
  type SelectionSetNode,
  type ValueNode,
} from "graphql"
import { MAX_ITEMS } from "../limits.ts"

/**
 * How long a list may get, from the published directive `@listSize` (IBM's and Apollo's cost specification) on the field.
 * A list without the directive counts as UNSIZED.
 */
interface Sizing {
  /** Where no slicing argument says otherwise. */
  assumed: number
  /** The arguments that say how long, with their defaults. */
  slicing: { name: string; otherwise: number }[]
  /** The fields of what this field answers which are the lists; undefined: the field is the list itself. */
  sized: readonly string[] | undefined
}

/** What a list without `@listSize` counts: a reader of the schema cannot know better. */
const UNSIZED = 10
/** What an item counts of which only its id is asked for. */
const REFERENCE = 0.1

interface ListNode {
  /** Each of these says how long; the longest counts. */
  sizes: readonly Size[]
  /** What one item counts. */
  weight: number
  children: ListNode[]
}

/** A number, or the variable that gives it and what counts where it is absent or null. */
type Size = number | { variable: string; otherwise: number }

/**
 * Reads off an operation, once, which lists it has inside which others.
 * @param marked the schema with its directives
 * @returns how many items it asks for with a request's variables. Stops counting a little above MAX_ITEMS.
 */
export function listCost(
  marked: GraphQLSchema,
  operation: OperationDefinitionNode,
  fragments: ReadonlyMap<string, FragmentDefinitionNode>,
): (variables: Readonly<Record<string, unknown>>) => number {
  const root = marked.getRootType(operation.operation)
  if (!root) return () => 0
  const alternatives =
    // An event is of one type only: the one that asks for most counts.
    operation.operation === "subscription" ? eventTypes(marked) : [undefined]
  const read = createReader(marked, fragments)
  const lists = alternatives
    .map((event) => read(root, operation.selectionSet, undefined, event))
    .filter(({ length }) => length > 0)
  return (variables) => Math.max(0, ...lists.map((list) => count(list, variables)))
}

/** The types of which an event may be. */
function eventTypes(marked: GraphQLSchema): GraphQLObjectType[] {
  const fields = Object.values(marked.getSubscriptionType()?.getFields() ?? {})
  const types = fields.flatMap(({ type }) => {
    const named = getNamedType(type)
    if (isAbstractType(named)) return marked.getPossibleTypes(named)
    return isObjectType(named) ? [named] : []
  })
  return [...new Set(types)]
}

/**
 * The lists of one selection. `around` is what the field around it says of the length of its fields; `event` is the type
 * of the event to read for, on the way from a subscription's root to the fields of the event itself.
 */
type Read = (
  parent: GraphQLNamedType,
  selectionSet: SelectionSetNode,
  around?: { fields: readonly string[]; sizes: readonly Size[] },
  event?: GraphQLObjectType,
) => ListNode[]

/** Whether a part of the document that is for one type has to do with an event of another. */
const concerns = (type: GraphQLNamedType, event: GraphQLObjectType | undefined) =>
  !event || !isObjectType(type) || type === event

function createReader(
  marked: GraphQLSchema,
  fragments: ReadonlyMap<string, FragmentDefinitionNode>,
): Read {
  const root = marked.getSubscriptionType()
  const read: Read = (parent, { selections }, around, event) =>
    selections.flatMap((selection): ListNode[] => {
      if (selection.kind === Kind.FRAGMENT_SPREAD) {
        const fragment = fragments.get(selection.name.value)
        const type = fragment && marked.getType(fragment.typeCondition.name.value)
        return type && (parent === root || concerns(type, event))
          ? read(type, fragment.selectionSet, around, event)
          : []
      }
      if (selection.kind === Kind.INLINE_FRAGMENT) {
        const type = selection.typeCondition
          ? marked.getType(selection.typeCondition.name.value)
          : parent
        return type && (parent === root || concerns(type, event))
          ? read(type, selection.selectionSet, around, event)
          : []
      }
      const field = fieldOf(parent, selection.name.value)
      if (!field) return []
      const sizing = sizingOf(marked, field)
      const given = sizing && sizesOf(sizing, selection.arguments ?? [])
      const inside = sizing?.sized && given ? { fields: sizing.sized, sizes: given } : undefined
      const children = selection.selectionSet
        ? read(
            getNamedType(field.type),
            selection.selectionSet,
            inside,
            parent === root ? event : undefined,
          )
        : []
      const own = around?.fields.includes(field.name)
        ? around.sizes
        : sizing && !sizing.sized
          ? given
          : undefined
      if (!own && !isList(field)) return children
      return [{ sizes: own ?? [UNSIZED], weight: weightOf(selection.selectionSet), children }]
    })
  return read
}

function sizesOf(
  { assumed, slicing }: Sizing,
  given: readonly { name: { value: string }; value: ValueNode }[],
): Size[] {
  const sizes = slicing.flatMap(({ name, otherwise }): Size[] => {
    const value = given.find((argument) => argument.name.value === name)?.value
    if (value?.kind === Kind.VARIABLE) return [{ variable: value.name.value, otherwise }]
    if (value?.kind === Kind.INT) return [Number(value.value)]
    return []
  })
  if (sizes.length > 0) return sizes
  const defaults = slicing.map(({ otherwise }) => otherwise)
  return [defaults.length > 0 ? Math.max(...defaults) : assumed]
}

function sizingOf(
  marked: GraphQLSchema,
  field: GraphQLField<unknown, unknown>,
): Sizing | undefined {
  const directive = marked.getDirective("listSize")
  const values = directive && field.astNode && getDirectiveValues(directive, field.astNode)
  if (!values) return undefined
  const assumed = typeof values.assumedSize === "number" ? values.assumedSize : UNSIZED
  const names = Array.isArray(values.slicingArguments) ? values.slicingArguments.map(String) : []
  const slicing = names.map((name) => {
    const standard = field.args.find((argument) => argument.name === name)?.defaultValue
    return { name, otherwise: typeof standard === "number" ? standard : assumed }
  })
  const sized = Array.isArray(values.sizedFields) ? values.sizedFields.map(String) : undefined
  return { assumed, slicing, sized: sized?.length ? sized : undefined }
}

/** An item of which only the id is asked for is some 40 bytes, and costs no look-up in another service. */
const weightOf = (selectionSet: SelectionSetNode | undefined) =>
  selectionSet?.selections.every(
    (selection) =>
      selection.kind === Kind.FIELD && ["id", "__typename"].includes(selection.name.value),
  )
    ? REFERENCE
    : 1

const isList = ({ type }: GraphQLField<unknown, unknown>) =>
  isListType(isNonNullType(type) ? type.ofType : type)

const fieldOf = (type: GraphQLNamedType, name: string) =>
  isObjectType(type) || isInterfaceType(type) ? type.getFields()[name] : undefined

function count(lists: readonly ListNode[], variables: Readonly<Record<string, unknown>>): number {
  let sum = 0
  for (const { sizes, weight, children } of lists) {
    let items = 0
    for (const size of sizes) {
      const given = typeof size === "number" ? size : (variables[size.variable] ?? size.otherwise)
      // What is no number, or negative, is refused with a better sentence by the field's own resolver.
      if (typeof given === "number" && given > items) items = given
    }
    sum += items * (weight + (items > 0 ? count(children, variables) : 0))
    if (sum > MAX_ITEMS) return sum
  }
  return sum
}
