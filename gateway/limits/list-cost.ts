import {
  type FragmentDefinitionNode,
  GraphQLError,
  type GraphQLNamedType,
  type GraphQLSchema,
  getNamedType,
  isInterfaceType,
  isObjectType,
  Kind,
  type OperationDefinitionNode,
  type SelectionSetNode,
  type ValueNode,
} from "graphql"

/** How many items one operation may ask for, lists inside lists multiplied. */
export const MAX_ITEMS = 10_000

/** The arguments that say how long a list may get. */
const SIZES = ["first", "last"]

interface ListNode {
  /** A number, or the variable that gives it and what counts where it is absent. */
  size: number | { variable: string; otherwise: number }
  children: ListNode[]
}

/**
 * Reads off an operation, once, which sized lists it has inside which others.
 * @returns the check to make for each request's variables: an error where more than MAX_ITEMS are asked for.
 */
export function listCost(
  schema: GraphQLSchema,
  operation: OperationDefinitionNode,
  fragments: ReadonlyMap<string, FragmentDefinitionNode>,
): (variables: Readonly<Record<string, unknown>>) => GraphQLError | undefined {
  const root = schema.getRootType(operation.operation)
  const lists = root ? listsOf(schema, root, operation.selectionSet, fragments) : []
  if (lists.length === 0) return () => undefined
  return (variables) =>
    count(lists, variables) > MAX_ITEMS
      ? new GraphQLError(`One operation may ask for ${MAX_ITEMS} items: ask for shorter lists.`, {
          extensions: { code: "TOO_LARGE", retryable: false },
        })
      : undefined
}

function listsOf(
  schema: GraphQLSchema,
  parent: GraphQLNamedType,
  { selections }: SelectionSetNode,
  fragments: ReadonlyMap<string, FragmentDefinitionNode>,
): ListNode[] {
  return selections.flatMap((selection): ListNode[] => {
    if (selection.kind === Kind.FRAGMENT_SPREAD) {
      const fragment = fragments.get(selection.name.value)
      const type = fragment && schema.getType(fragment.typeCondition.name.value)
      return type ? listsOf(schema, type, fragment.selectionSet, fragments) : []
    }
    if (selection.kind === Kind.INLINE_FRAGMENT) {
      const type = selection.typeCondition
        ? schema.getType(selection.typeCondition.name.value)
        : parent
      return type ? listsOf(schema, type, selection.selectionSet, fragments) : []
    }
    const field = fieldOf(parent, selection.name.value)
    if (!field) return []
    const children = selection.selectionSet
      ? listsOf(schema, getNamedType(field.type), selection.selectionSet, fragments)
      : []
    const sizes = field.args.filter(({ name }) => SIZES.includes(name))
    if (sizes.length === 0) return children
    const given = sizes.flatMap(({ name, defaultValue }) => {
      const value = selection.arguments?.find((argument) => argument.name.value === name)?.value
      if (value) return [sizeOf(value, numberOr1(defaultValue))]
      return typeof defaultValue === "number" ? [defaultValue] : []
    })
    return given.length === 0 ? [{ size: 1, children }] : given.map((size) => ({ size, children }))
  })
}

const fieldOf = (type: GraphQLNamedType, name: string) =>
  isObjectType(type) || isInterfaceType(type) ? type.getFields()[name] : undefined

const numberOr1 = (value: unknown) => (typeof value === "number" ? value : 1)

const sizeOf = (value: ValueNode, otherwise: number): ListNode["size"] =>
  value.kind === Kind.VARIABLE
    ? { variable: value.name.value, otherwise }
    : value.kind === Kind.INT
      ? Number(value.value)
      : otherwise

function count(lists: readonly ListNode[], variables: Readonly<Record<string, unknown>>): number {
  let sum = 0
  for (const { size, children } of lists) {
    const given = typeof size === "number" ? size : (variables[size.variable] ?? size.otherwise)
    // What is no number, or negative, is refused with a better sentence by whoever knows the field.
    const items = typeof given === "number" && given > 0 ? given : 0
    sum += items * (1 + count(children, variables))
    if (sum > MAX_ITEMS) return sum
  }
  return sum
}
