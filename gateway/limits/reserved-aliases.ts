import { type ASTVisitor, GraphQLError, type ValidationContext } from "graphql"

/**
 * Refuses aliases that begin with two underscores: GraphQL keeps such names for itself (§2.1.9), and what joins the
 * answers of the subgraphs reads `__typename` there.
 */
export function NoReservedAliasesRule(context: ValidationContext): ASTVisitor {
  return {
    Field(node) {
      const alias = node.alias?.value
      if (!alias?.startsWith("__") || alias === node.name.value) return
      const message = `No field may be called ${alias.slice(0, 40)}: names with two underscores are GraphQL's own.`
      context.reportError(new GraphQLError(message, { nodes: node }))
    },
  }
}
