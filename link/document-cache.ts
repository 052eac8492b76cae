import { createWeighedCache } from "@parley/platform/weighed-cache.ts"
import { type DocumentNode, GraphQLError, type GraphQLSchema, parse, validate } from "graphql"
import { withCode } from "./graphql-errors.ts"
import {
  DOCUMENT_BYTES_A_CHARACTER,
  MAX_SUBGRAPH_DOCUMENT,
  MAX_SUBGRAPH_TOKENS,
  SUBGRAPH_DOCUMENTS,
} from "./limits.ts"

export type CheckedDocument =
  | { document: DocumentNode; errors?: undefined }
  | { errors: readonly GraphQLError[] }

/**
 * Parses and validates documents against one schema and caches the valid ones: an application sends few documents, again
 * and again. A cached text gives the same DocumentNode each time, so it can serve as a key. A text that the cache has
 * dropped gives a new one, which costs sharing alone.
 */
export function createDocumentCache(
  schema: GraphQLSchema,
  limits: { maxBytes: number; maxEntryBytes: number } = SUBGRAPH_DOCUMENTS,
): (query: string) => CheckedDocument {
  const known = createWeighedCache<CheckedDocument>(limits)
  return (query) => {
    const cached = known.get(query)
    if (cached) return cached
    const checked = check(schema, query)
    // Errors hold nodes of the whole document, and are cheap to make again.
    if (!checked.errors) known.set(query, checked, query.length * DOCUMENT_BYTES_A_CHARACTER)
    return checked
  }
}

function check(schema: GraphQLSchema, query: string): CheckedDocument {
  if (query.length > MAX_SUBGRAPH_DOCUMENT) return { errors: [tooLong()] }
  let document: DocumentNode
  try {
    // Locations would keep every token of the text, comments too, as long as the document.
    document = parse(query, { noLocation: true, maxTokens: MAX_SUBGRAPH_TOKENS })
  } catch (error) {
    if (error instanceof GraphQLError) return { errors: [withCode(error, "GRAPHQL_PARSE_FAILED")] }
    return { errors: [tooDeep()] }
  }
  const errors = validate(schema, document)
  if (errors.length === 0) return { document }
  return { errors: errors.map((error) => withCode(error, "GRAPHQL_VALIDATION_FAILED")) }
}

const tooLong = () =>
  new GraphQLError(`A document may have ${MAX_SUBGRAPH_DOCUMENT} characters.`, {
    extensions: { code: "TOO_LARGE", retryable: false },
  })

/** The parser recurses as deep as the text nests, and overflows the stack. */
const tooDeep = () =>
  new GraphQLError("The document is nested too deeply.", {
    extensions: { code: "GRAPHQL_PARSE_FAILED", retryable: false },
  })
