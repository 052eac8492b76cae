import { withoutRootArguments } from "@parley/link/event-documents.ts"
import { publicResult } from "@parley/link/graphql-errors.ts"
import { selectsMarked } from "@parley/link/marked-fields.ts"
import type { Turns } from "@parley/link/turns.ts"
import type { Work } from "@parley/link/work.ts"
import { ParleyError, unavailable } from "@parley/platform/errors.ts"
import type { Logger } from "@parley/platform/log.ts"
import { logFor } from "@parley/platform/request-context.ts"
import {
  type DocumentNode,
  type ExecutionArgs,
  type ExecutionResult,
  execute,
  type GraphQLSchema,
  getOperationAST,
} from "graphql"
import {
  type CompiledSubscription,
  type DeliveryEvent,
  requestContextOf,
} from "../delivery/subscription.ts"
import {
  EVENT_BYTES,
  EVENT_ITEMS,
  EVENT_VARIABLES,
  READY_BYTES,
  READY_ITEMS,
  VARIANT_LENGTH,
  VARIANTS,
} from "../limits.ts"
import type { ChatContext, Services } from "./context.ts"

export interface SubscriptionCompiler {
  /**
   * The compiled subscription of a document: the same object for the same document, operation and variables, apart
   * from those of `after`, which says where to begin and not what an event looks like.
   * @throws ParleyError TOO_LARGE where the variables are long: they live as long as the subscription.
   */
  of(args: ExecutionArgs): CompiledSubscription
  /** To be called once for each `of`: a compiled subscription is shared as long as a client goes by it, and then forgotten. */
  release(compiled: CompiledSubscription): void
}

/** Where a compiled subscription is kept, and how many clients go by it. */
interface Use {
  variants: Map<string, CompiledSubscription>
  key: string
  subscriptions: number
}

/** A subscription document without its root field's arguments, and what its events still depend on. */
interface EventDocument {
  document: DocumentNode
  shareable: boolean
  variables: string[]
  variants: Map<string, CompiledSubscription>
}

export function createSubscriptionCompiler(
  schema: GraphQLSchema,
  services: Services,
  turns: Turns,
  log: Logger,
): SubscriptionCompiler {
  const known = new WeakMap<DocumentNode, Map<string, EventDocument>>()
  const uses = new Map<CompiledSubscription, Use>()

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
  ): CompiledSubscription {
    function finish(result: ExecutionResult, event: DeliveryEvent, work: Work): string {
      work.done()
      if (work.failure) throw work.failure
      if (!result.errors) return JSON.stringify(result)
      const shown = publicResult(result, logFor(log, requestContextOf(event)))
      // What could not be read just now would be lost if half an answer stood for it: its client resumes.
      const passing = shown.errors?.find(({ extensions }) => extensions.retryable)
      if (passing) throw unavailable(passing.message)
      return JSON.stringify(shown)
    }

    function run(event: DeliveryEvent, viewer: string | undefined, work: Work) {
      const contextValue: ChatContext = { viewer, services, work }
      const rootValue = { events: event }
      const request = { schema, document, operationName, variableValues, contextValue, rootValue }
      const result = execute(request)
      return result instanceof Promise
        ? result.then((result) => finish(result, event, work))
        : finish(result, event, work)
    }

    return {
      shareable,
      render(event, viewer) {
        const isReady = event.kind === "ready"
        const work = turns.work({
          person: viewer,
          isForEvents: true,
          bytes: isReady ? READY_BYTES : EVENT_BYTES,
          items: isReady ? READY_ITEMS : EVENT_ITEMS,
          tooLarge: eventTooLarge,
        })
        if (shareable) return run(event, viewer, work)
        work.begin()
        const turn = work.turn()
        return turn ? turn.then(() => run(event, viewer, work)) : run(event, viewer, work)
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
      if (key.length > EVENT_VARIABLES) throw variablesTooLarge()
      const { variants } = event
      const compiled = variants.get(key) ?? compile(event, args.operationName, variables)
      const use = uses.get(compiled)
      if (use) use.subscriptions += 1
      // More variants, or longer ones, are compiler of their own: right, but not shared.
      else if (variants.size < VARIANTS && key.length <= VARIANT_LENGTH) {
        variants.set(key, compiled)
        uses.set(compiled, { variants, key, subscriptions: 1 })
      }
      return compiled
    },

    release(compiled) {
      const use = uses.get(compiled)
      if (!use) return
      use.subscriptions -= 1
      if (use.subscriptions > 0) return
      uses.delete(compiled)
      use.variants.delete(use.key)
    },
  }
}

const variablesTooLarge = () =>
  new ParleyError("TOO_LARGE", "The variables of a subscription's events are too long.")

const eventTooLarge = () =>
  new ParleyError("TOO_LARGE", "The document selects more than one event may have.")
