import { withCode } from "@parley/link/graphql-errors.ts"
import { createWeighedCache } from "@parley/platform/weighed-cache.ts"
import {
  type DocumentNode,
  type FragmentDefinitionNode,
  GraphQLError,
  Kind,
  NoSchemaIntrospectionCustomRule,
  type OperationDefinitionNode,
  parse,
  separateOperations,
  specifiedRules,
  validate,
} from "graphql"
import { exceeds } from "../limits/document-limits.ts"
import { NoReservedAliasesRule } from "../limits/reserved-aliases.ts"
import {
  DOCUMENT_LIMITS,
  LOCATED_DOCUMENTS,
  MAX_DOCUMENT_CHARACTERS,
  MAX_DOCUMENT_ERRORS,
  MAX_REMEMBERED_CHARACTERS,
  PROBATION_BYTES,
  REMEMBERED_BYTES,
  REMEMBERED_DOCUMENT,
} from "../limits.ts"
import type { Graph } from "../supergraph/supergraph.ts"
import { createNewDocuments, type NewDocuments, type Payer, payerKey } from "./new-documents.ts"
import { createOperation, type Operation, type Route } from "./operation.ts"

/** What a client asked for is either an operation to run, or these errors. */
export type Checked =
  | { operation: Operation; errors?: undefined }
  | { errors: readonly GraphQLError[] }

export interface Documents {
  /** Parses, measures and validates a document, each text once, and takes the named operation out of it. */
  check(text: string, operationName: string | null | undefined): Checked
  /**
   * The same for a client's request: at once where the document is known, else in turn and at the payer's expense.
   * @throws ParleyError RATE_LIMITED
   */
  take(
    text: string,
    operationName: string | null | undefined,
    payer: Payer,
  ): Checked | Promise<Checked>
  /**
   * Plans an operation that its caller may run, in the same way; nothing where that has been done.
   * @throws ParleyError RATE_LIMITED, and TOO_LARGE where its plan comes to more than the subgraphs take
   */
  plan(operation: Operation, payer: Payer): void | Promise<void>
}

interface Document {
  operations: Map<string, Operation>
  /** The operation of a document that has one only. */
  only: Operation | undefined
  /** Who asked for it first. */
  by: string
}

export function createDocuments(
  graph: Graph,
  options: { introspection: boolean },
  newDocuments: NewDocuments = createNewDocuments(),
): Documents {
  // Segmented: a document is on probation until another caller asks for it too, and a flood of new ones pushes out
  // only what is on probation.
  const probation = cache(PROBATION_BYTES)
  const remembered = cache(REMEMBERED_BYTES)
  const rules = [
    ...specifiedRules,
    NoReservedAliasesRule,
    ...(options.introspection ? [] : [NoSchemaIntrospectionCustomRule]),
  ]

  function read(text: string, by: string): Document | readonly GraphQLError[] {
    if (text.length > MAX_DOCUMENT_CHARACTERS) return [tooLong()]
    try {
      const noLocation = !mayBeLocated(text)
      const ast = parse(text, { maxTokens: DOCUMENT_LIMITS.tokens, noLocation })
      const excess = exceeds(ast)
      if (excess) return [excess]
      const errors = validated(ast)
      if (errors.length > 0) {
        return errors.map((error) => withCode(error, "GRAPHQL_VALIDATION_FAILED"))
      }
      // Errors point into the text; what is remembered need not, and is much smaller without.
      return split(noLocation ? ast : parse(text, { noLocation: true }), by)
    } catch (error) {
      return [
        error instanceof GraphQLError ? withCode(error, "GRAPHQL_PARSE_FAILED") : tooDeep(error),
      ]
    }
  }

  function validated(ast: DocumentNode): readonly GraphQLError[] {
    try {
      return validate(graph.api, ast, rules, {
        maxErrors: MAX_DOCUMENT_ERRORS,
        // A suggestion is introspection by another name.
        hideSuggestions: !options.introspection,
      })
    } catch (error) {
      // The rule on a subscription's single field throws where a variable decides whether that field is there.
      if (error instanceof GraphQLError) return [error]
      throw error
    }
  }

  function split(ast: DocumentNode, by: string): Document {
    const fragments = new Map<string, FragmentDefinitionNode>()
    const nodes: OperationDefinitionNode[] = []
    for (const definition of ast.definitions) {
      if (definition.kind === Kind.FRAGMENT_DEFINITION) {
        fragments.set(definition.name.value, definition)
      } else if (definition.kind === Kind.OPERATION_DEFINITION) nodes.push(definition)
    }
    const alone = separateOperations(ast)
    const operations = new Map(
      nodes.map((node) => {
        const name = node.name?.value ?? ""
        return [name, createOperation(graph, alone[name]!, node, fragments)]
      }),
    )
    const only = nodes.length === 1 ? [...operations.values()][0] : undefined
    return { operations, only, by }
  }

  /** Finds a document that is known; one that another caller asks for too is kept for longer. */
  function find(text: string, by: string): Document | undefined {
    if (text.length > MAX_REMEMBERED_CHARACTERS) return undefined
    const known = remembered.get(text)
    if (known) return known
    const document = probation.get(text)
    if (document && document.by !== by) {
      probation.delete(text)
      remembered.set(text, document, weigh(text, document))
    }
    return document
  }

  /** An application that begins asks for much at once, with a document or two: each waits for its turn once. */
  const once = singleFlight<Document | readonly GraphQLError[]>()
  const plannings = new WeakMap<Operation, ReturnType<typeof singleFlight<Route>>>()

  function make(text: string, by: string): Document | readonly GraphQLError[] {
    // Another request may have brought it while this one waited for its turn.
    const known = find(text, by)
    if (known) return known
    const made = read(text, by)
    if ("operations" in made && text.length <= MAX_REMEMBERED_CHARACTERS) {
      probation.set(text, made, weigh(text, made))
    }
    return made
  }

  return {
    check(text, operationName) {
      return named(find(text, "") ?? make(text, ""), operationName)
    },
    take(text, operationName, payer) {
      const by = payerKey(payer)
      const known = find(text, by)
      if (known) return named(known, operationName)
      // It costs nothing to say so, however many of them come.
      if (text.length > MAX_DOCUMENT_CHARACTERS) return { errors: [tooLong()] }
      const made = once(`${by} ${text}`, () => newDocuments.work(payer, () => make(text, by)))
      return made instanceof Promise
        ? made.then((made) => named(made, operationName))
        : named(made, operationName)
    },
    plan(operation, payer) {
      if (operation.isPlanned() || operation.roots.introspectionOnly) return undefined
      const planning = plannings.get(operation) ?? singleFlight<Route>()
      plannings.set(operation, planning)
      const by = payerKey(payer)
      const planned = planning(by, () => newDocuments.work(payer, () => operation.route()))
      return planned instanceof Promise ? planned.then(() => {}) : undefined
    },
  }
}

/** Lets callers who ask for the same thing while it is under way wait for the same promise. */
function singleFlight<T>() {
  const underWay = new Map<string, Promise<T>>()
  return (key: string, work: () => T | Promise<T>): T | Promise<T> => {
    const present = underWay.get(key)
    if (present) return present
    const result = work()
    if (!(result instanceof Promise)) return result
    underWay.set(key, result)
    const forget = () => void underWay.delete(key)
    result.then(forget, forget)
    return result
  }
}

const cache = (maxBytes: number) =>
  createWeighedCache<Document>({ maxBytes, maxEntryBytes: maxBytes / 2 })

/** About what a document and its plans come to. */
const weigh = (text: string, { operations }: Document) =>
  operations.size * REMEMBERED_DOCUMENT.bytes + text.length * REMEMBERED_DOCUMENT.bytesACharacter

function named(
  made: Document | readonly GraphQLError[],
  operationName: string | null | undefined,
): Checked {
  if (!("operations" in made)) return { errors: made }
  const operation = operationName ? made.operations.get(operationName) : made.only
  return operation ? { operation } : { errors: [noOperation(operationName)] }
}

/** Whether errors may say lines and columns: each of them is found by counting from the text's start. */
function mayBeLocated(text: string): boolean {
  if (text.length > LOCATED_DOCUMENTS.characters) return false
  let lines = 1
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if ((code === 10 || code === 13) && ++lines > LOCATED_DOCUMENTS.lines) return false
  }
  return true
}

const noOperation = (name: string | null | undefined) =>
  new GraphQLError(
    name ? `The document has no operation ${name}.` : "Name the operation to run: operationName.",
    { extensions: { code: "BAD_INPUT", retryable: false, field: "operationName" } },
  )

const tooLong = () =>
  new GraphQLError(`A document may have ${MAX_DOCUMENT_CHARACTERS} characters.`, {
    extensions: { code: "GRAPHQL_PARSE_FAILED", retryable: false },
  })

/** The parser goes as deep as its text does, and the stack has an end. Every other error is the gateway's own. */
function tooDeep(error: unknown): GraphQLError {
  if (!(error instanceof RangeError)) throw error
  return new GraphQLError("The document is nested too deeply.", {
    extensions: { code: "GRAPHQL_PARSE_FAILED", retryable: false },
  })
}
