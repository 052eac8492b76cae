import {
  type DocumentNode,
  type GraphQLSchema,
  getOperationAST,
  Kind,
  TypeInfo,
  visit,
  visitWithTypeInfo,
} from "graphql"

/**
 * Whether an operation selects a field that the schema marks with a directive, anywhere: directly, through fragments,
 * interfaces or unions. A field of an interface counts as marked where any type that implements it has it marked.
 */
export function selectsMarked(
  schema: GraphQLSchema,
  document: DocumentNode,
  operationName: string | null | undefined,
  directive: string,
): boolean {
  const operation = getOperationAST(document, operationName)
  if (!operation) return false
  const fragments = new Map(
    document.definitions.flatMap((definition) =>
      definition.kind === Kind.FRAGMENT_DEFINITION ? [[definition.name.value, definition]] : [],
    ),
  )
  const marked = markedFields(schema, directive)
  const visited = new Set<string>()
  let found = false

  const look = (root: Parameters<typeof visit>[0]): void => {
    const types = new TypeInfo(schema)
    visit(
      root,
      visitWithTypeInfo(types, {
        Field() {
          const field = types.getFieldDef()?.name
          const parent = types.getParentType()?.name
          if (marked.has(`${parent}.${field}`)) found = true
        },
        FragmentSpread({ name }) {
          const fragment = fragments.get(name.value)
          if (!fragment || visited.has(name.value)) return
          visited.add(name.value)
          look(fragment)
        },
      }),
    )
  }
  look(operation)
  return found
}

/** `Type.field` of every marked field, looked up once for each schema and directive. */
const known = new WeakMap<GraphQLSchema, Map<string, ReadonlySet<string>>>()

function markedFields(schema: GraphQLSchema, directive: string): ReadonlySet<string> {
  const ofSchema = known.get(schema) ?? new Map<string, ReadonlySet<string>>()
  known.set(schema, ofSchema)
  const marked = ofSchema.get(directive) ?? findMarked(schema, directive)
  ofSchema.set(directive, marked)
  return marked
}

function findMarked(schema: GraphQLSchema, directive: string): ReadonlySet<string> {
  const marked = new Set<string>()
  for (const type of Object.values(schema.getTypeMap())) {
    if (!("getFields" in type) || !("getInterfaces" in type)) continue
    for (const field of Object.values(type.getFields())) {
      if (!field.astNode?.directives?.some(({ name }) => name.value === directive)) continue
      for (const owner of [type, ...type.getInterfaces()]) marked.add(`${owner.name}.${field.name}`)
    }
  }
  return marked
}
