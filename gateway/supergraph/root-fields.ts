import {
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLSchema,
  Kind,
  type OperationDefinitionNode,
  type SelectionSetNode,
} from "graphql"

export interface RootFields {
  /** Every root field may be asked for without a login; true also for introspection and `__typename`. */
  allPublic: boolean
  /** Some root field needs nobody to be signed in because it signs somebody in or out: those deal in cookies. */
  dealsInCookies: boolean
  /** No root field but introspection's. */
  introspectionOnly: boolean
}

/**
 * Reads the directive `@public` off the root fields of a valid operation, those in fragments included. Fields under
 * `@skip` and `@include` count as selected: a login must not depend on a variable.
 */
export function rootFieldsOf(
  marked: GraphQLSchema,
  operation: OperationDefinitionNode,
  fragments: ReadonlyMap<string, FragmentDefinitionNode>,
): RootFields {
  const fields = marked.getRootType(operation.operation)?.getFields() ?? {}
  const isPublic = ({ name }: FieldNode) =>
    fields[name.value]?.astNode?.directives?.some(({ name }) => name.value === "public") ?? false
  const own = selectedFields(operation.selectionSet, fragments).filter(
    ({ name }) => !name.value.startsWith("__"),
  )
  return {
    allPublic: own.every(isPublic),
    dealsInCookies: operation.operation === "mutation" && own.some(isPublic),
    introspectionOnly: own.length === 0,
  }
}

/** The fields of a selection set with its fragments opened. */
export function selectedFields(
  { selections }: SelectionSetNode,
  fragments: ReadonlyMap<string, FragmentDefinitionNode>,
): FieldNode[] {
  return selections.flatMap((selection) => {
    if (selection.kind === Kind.FIELD) return [selection]
    if (selection.kind === Kind.INLINE_FRAGMENT) {
      return selectedFields(selection.selectionSet, fragments)
    }
    const fragment = fragments.get(selection.name.value)
    return fragment ? selectedFields(fragment.selectionSet, fragments) : []
  })
}
