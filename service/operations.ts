import { type DocumentNode, type GraphQLError, type GraphQLSchema, parse, validate } from "graphql"
import { withCode } from "./graphql-errors.ts"
import { LruMap } from "./lru.ts"

export type CheckedDocument =
  | { document: DocumentNode; errors?: undefined }
  | { errors: readonly GraphQLError[] }

/**
 * Parses and validates documents against one schema, each distinct text once: the documents of an application are few
 * and come again and again. The same text gives the same DocumentNode, so it can serve as a key.
 */
export function createDocumentCache(
  schema: GraphQLSchema,
  limit = 1_000,
): (query: string) => CheckedDocument {
  const known = new LruMap<string, CheckedDocument>(limit)
  return (query) => {
    const cached = known.get(query)
    if (cached) return cached
    const checked = check(schema, query)
    known.set(query, checked)
    return checked
  }
}

function check(schema: GraphQLSchema, query: string): CheckedDocument {
  let document: DocumentNode
  try {
    document = parse(query, { noLocation: false, maxTokens: 10_000 })
  } catch (error) {
    return { errors: [withCode(error as GraphQLError, "GRAPHQL_PARSE_FAILED")] }
  }
  const errors = validate(schema, document)
  if (errors.length === 0) return { document }
  return { errors: errors.map((error) => withCode(error, "GRAPHQL_VALIDATION_FAILED")) }
}
