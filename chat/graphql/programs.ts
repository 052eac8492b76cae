import { logFor } from "@parley/service/cause.ts"
import { unavailable } from "@parley/service/errors.ts"
import { withoutRootArguments } from "@parley/service/event-documents.ts"
import { publicResult } from "@parley/service/graphql-errors.ts"
import type { Logger } from "@parley/service/log.ts"
import { selectsMarked } from "@parley/service/marked-fields.ts"
import {
  type DocumentNode,
  type ExecutionArgs,
  type ExecutionResult,
  execute,
  type GraphQLSchema,
  getOperationAST,
} from "graphql"
import { causeOf, type Program, type SessionEvent } from "../delivery/session.ts"
import type { ChatContext, Services } from "./context.ts"

export interface Programs {
  /**
   * The program of a subscription document: the same object for the same document, operation and variables, apart
   * from those of `after`, which says where to begin and not what an event looks like.
   */
  of(args: ExecutionArgs): Program
}

/** More variants of one document than this are programs of their own: right, but not shared. */
const MAX_VARIANTS = 100
/** Characters of a variant's variables, as JSON. Longer ones are programs of their own, too: a hundred of them are kept. */
const MAX_VARIANT_CHARACTERS = 256

/** A subscription document without its root field's arguments, and what its events still depend on. */
interface EventDocument {
  document: DocumentNode
  shareable: boolean
  variables: string[]
  variants: Map<string, Program>
}

export function createPrograms(schema: GraphQLSchema, services: Services, log: Logger): Programs {
  const known = new WeakMap<DocumentNode, Map<string, EventDocument>>()

  function eventDocument({ document, operationName }: ExecutionArgs): EventDocument {
    const operations = known.get(document) ?? new Map<string, EventDocument>()
    known.set(document, operations)
    const name = operationName ?? ""
    const cached = operations.get(name)
    if (cached) return cached
    const stripped = withoutRootArguments(document, getOperationAST(document, operationName)!)
    const made = {
      ...stripped,
      shareable: !selectsMarked(schema, document, operationName, "viewer"),
      variants: new Map(),
    }
    operations.set(name, made)
    return made
  }

  function compile(
    { document, shareable }: EventDocument,
    operationName: string | null | undefined,
    variableValues: Record<string, unknown>,
  ): Program {
    function finish(result: ExecutionResult, event: SessionEvent): string {
      if (!result.errors) return JSON.stringify(result)
      const shown = publicResult(result, logFor(log, causeOf(event)))
      // What could not be read just now would be lost if half an answer stood for it: whoever is told resumes.
      const passing = shown.errors?.find(({ extensions }) => extensions.retryable)
      if (passing) throw unavailable(passing.message)
      return JSON.stringify(shown)
    }
    return {
      shareable,
      render(event: SessionEvent, viewer) {
        const contextValue: ChatContext = { viewer, services }
        const rootValue = { events: event }
        const request = { schema, document, operationName, variableValues, contextValue, rootValue }
        const result = execute(request)
        return result instanceof Promise
          ? result.then((result) => finish(result, event))
          : finish(result, event)
      },
    }
  }

  return {
    of(args) {
      const event = eventDocument(args)
      const given = args.variableValues ?? {}
      // A variable that is not given has its default, which one that is given as undefined has not.
      const variables = Object.fromEntries(
        event.variables.flatMap((name) =>
          Object.hasOwn(given, name) ? [[name, given[name]]] : [],
        ),
      )
      const key = JSON.stringify(variables)
      const program = event.variants.get(key) ?? compile(event, args.operationName, variables)
      if (event.variants.size < MAX_VARIANTS && key.length <= MAX_VARIANT_CHARACTERS) {
        event.variants.set(key, program)
      }
      return program
    },
  }
}
