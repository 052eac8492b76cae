import {
  type DocumentNode,
  type GraphQLNamedType,
  type GraphQLSchema,
  getNamedType,
  isAbstractType,
  isEnumType,
  TypeInfo,
  visit,
  visitWithTypeInfo,
} from "graphql"

/**
 * The types of the API of which a subgraph says the same: an enum with the same values, an interface or a union of the
 * same types. `@inaccessible` takes values and types out of the API, and other subgraphs add theirs to it.
 * Introspection's types are not among them: a subgraph's answer is about the subgraph.
 */
export function sameTypes(api: GraphQLSchema, subgraph: GraphQLSchema): ReadonlySet<string> {
  const same = new Set<string>()
  for (const [name, type] of Object.entries(api.getTypeMap())) {
    const other = subgraph.getType(name)
    if (other && !name.startsWith("__") && isSame(api, type, subgraph, other)) same.add(name)
  }
  return same
}

function isSame(
  api: GraphQLSchema,
  type: GraphQLNamedType,
  subgraph: GraphQLSchema,
  other: GraphQLNamedType,
): boolean {
  if (type.constructor !== other.constructor) return false
  const values = (schema: GraphQLSchema, type: GraphQLNamedType) => {
    if (isAbstractType(type)) return schema.getPossibleTypes(type)
    return isEnumType(type) ? type.getValues() : []
  }
  const names = (schema: GraphQLSchema, type: GraphQLNamedType) =>
    new Set(values(schema, type).map(({ name }) => name))
  const left = names(api, type)
  const right = names(subgraph, other)
  return left.size === right.size && left.isSubsetOf(right)
}

/** Whether a valid document has to do with these types only: those of its fields, and those of its fragments. */
export function dealsOnlyIn(
  types: ReadonlySet<string>,
  api: GraphQLSchema,
  document: DocumentNode,
): boolean {
  let only = true
  const info = new TypeInfo(api)
  const check = () => {
    const type = getNamedType(info.getType())
    if (!type || !types.has(type.name)) only = false
  }
  visit(
    document,
    visitWithTypeInfo(info, {
      Field: check,
      InlineFragment: check,
      FragmentDefinition: check,
    }),
  )
  return only
}
