import { withCode } from "@parley/service/graphql-errors.ts"
import { LruMap } from "@parley/service/lru.ts"
import {
  type DocumentNode,
  type FragmentDefinitionNode,
  GraphQLError,
  Kind,
  NoSchemaIntrospectionCustomRule,
  type OperationDefinitionNode,
  parse,
  specifiedRules,
  validate,
} from "graphql"
import { DOCUMENT_LIMITS, exceeds } from "../limits/document-limits.ts"
import type { Graph } from "../supergraph/supergraph.ts"
import { createOperation, type Operation } from "./operation.ts"

/** What a client asked for is either an operation to run, or these errors. */
export type Checked =
  | { operation: Operation; errors?: undefined }
  | { errors: readonly GraphQLError[] }

export interface Documents {
  /** Parses, measures and validates a document, each text once, and takes the named operation out of it. */
  check(text: string, operationName: string | null | undefined): Checked
}

/**
 * How many documents are remembered, with their plans: those of an application are few and come again and again. Long
 * ones take the more memory, so fewer of them are; the longest are worked out each time.
 */
const SHORT = { characters: 2_000, remembered: 500 }
const LONG = { characters: 10_000, remembered: 50 }

interface Document {
  operations: Map<string, Operation>
  /** The operation of a document that has one only. */
  only: Operation | undefined
}

export function createDocuments(graph: Graph, options: { introspection: boolean }): Documents {
  const short = new LruMap<string, Document>(SHORT.remembered)
  const long = new LruMap<string, Document>(LONG.remembered)
  const rules = options.introspection
    ? specifiedRules
    : [...specifiedRules, NoSchemaIntrospectionCustomRule]

  function read(text: string): Document | readonly GraphQLError[] {
    let ast: DocumentNode
    try {
      ast = parse(text, { maxTokens: DOCUMENT_LIMITS.tokens })
    } catch (error) {
      return [withCode(error as GraphQLError, "GRAPHQL_PARSE_FAILED")]
    }
    const excess = exceeds(ast)
    if (excess) return [excess]
    const errors = validated(ast)
    if (errors.length > 0)
      return errors.map((error) => withCode(error, "GRAPHQL_VALIDATION_FAILED"))
    // Errors point into the text; what is remembered need not, and is much smaller without.
    return split(text, parse(text, { noLocation: true }))
  }

  function validated(ast: DocumentNode): readonly GraphQLError[] {
    try {
      return validate(graph.api, ast, rules, {
        maxErrors: 10,
        // A suggestion is introspection by another name.
        hideSuggestions: !options.introspection,
      })
    } catch (error) {
      // The rule on a subscription's single field throws where a variable decides whether that field is there.
      if (error instanceof GraphQLError) return [error]
      throw error
    }
  }

  function split(text: string, ast: DocumentNode): Document {
    const fragments = new Map<string, FragmentDefinitionNode>()
    const nodes: OperationDefinitionNode[] = []
    for (const definition of ast.definitions) {
      if (definition.kind === Kind.FRAGMENT_DEFINITION) {
        fragments.set(definition.name.value, definition)
      } else if (definition.kind === Kind.OPERATION_DEFINITION) nodes.push(definition)
    }
    const own = nodes.length === 1 ? text : undefined
    const operations = new Map(
      nodes.map((node) => [node.name?.value ?? "", createOperation(graph, node, fragments, own)]),
    )
    return { operations, only: nodes.length === 1 ? [...operations.values()][0] : undefined }
  }

  return {
    check(text, operationName) {
      const known = text.length <= SHORT.characters ? short : long
      let document = known.get(text)
      if (!document) {
        const made = read(text)
        if (!("operations" in made)) return { errors: made }
        document = made
        if (text.length <= LONG.characters) known.set(text, document)
      }
      const operation = operationName ? document.operations.get(operationName) : document.only
      return operation ? { operation } : { errors: [noOperation(operationName)] }
    },
  }
}

const noOperation = (name: string | null | undefined) =>
  new GraphQLError(
    name ? `The document has no operation ${name}.` : "Name the operation to run: operationName.",
    { extensions: { code: "BAD_INPUT", retryable: false, field: "operationName" } },
  )
