import { type DocumentNode, Kind, type OperationDefinitionNode, visit } from "graphql"

/**
 * Strips a subscription to the parts that determine how an event renders. The root field's arguments only say where to
 * begin, so they go, with the variables that only they used.
 * @returns the operation alone, with the document's fragments, and the names of the variables that are left
 */
export function withoutRootArguments(
  document: DocumentNode,
  operation: OperationDefinitionNode,
): { document: DocumentNode; variables: string[] } {
  const used = new Set<string>()
  const bare = visit(document, {
    OperationDefinition(node) {
      if (node !== operation) return null
      const selections = node.selectionSet.selections.map((selection) =>
        selection.kind === Kind.FIELD ? { ...selection, arguments: [] } : selection,
      )
      return { ...node, selectionSet: { ...node.selectionSet, selections } }
    },
    VariableDefinition: () => false,
    Variable(node) {
      used.add(node.name.value)
    },
  })
  const stripped = visit(bare, {
    VariableDefinition: ({ variable }) => (used.has(variable.name.value) ? undefined : null),
  })
  const declared = operation.variableDefinitions?.map(({ variable }) => variable.name.value) ?? []
  return { document: stripped, variables: declared.filter((name) => used.has(name)) }
}
