import { Kind } from "graphql"
import type { Operation } from "./operation.ts"

/** An operation as logs and traces name it: by its root field, of which the schema has few; its own name is the client's. */
export function nameOf({ kind, node }: Pick<Operation, "kind" | "node">): string {
  const [field] = node.selectionSet.selections
  return field?.kind === Kind.FIELD ? `${kind} ${field.name.value}` : kind
}
