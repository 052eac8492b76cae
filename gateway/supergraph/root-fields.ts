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
  /** Some root field sets the cookies of a login session. */
  dealsInCookies: boolean
  /** No root field but introspection's. */
  introspectionOnly: boolean
}

/**
 * Reads the directives `@public` and `@cookies` off the root fields of a valid operation, those in fragments included. Fields under
 * `@skip` and `@include` count as selected: a login must not depend on a variable.
 */
export function rootFieldsOf(
  marked: GraphQLSchema,
  operation: OperationDefinitionNode,
  fragments: ReadonlyMap<string, FragmentDefinitionNode>,
): RootFields {
  const fields = marked.getRootType(operation.operation)?.getFields() ?? {}
  const has = (directive: string) => (field: FieldNode) =>
    fields[field.name.value]?.astNode?.directives?.some(({ name }) => name.value === directive) ??
    false
  const own = selectedFields(operation.selectionSet, fragments).filter(
    ({ name }) => !name.value.startsWith("__"),
  )
  return {
    allPublic: own.every(has("public")),
    dealsInCookies: own.some(has("cookies")),
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
