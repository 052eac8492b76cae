import type { QueryPlan } from "@apollo/query-planner"
import { withoutRootArguments } from "@parley/link/event-documents.ts"
import { selectsMarked } from "@parley/link/marked-fields.ts"
import { answerTooLarge } from "@parley/link/work.ts"
import { ParleyError, unavailable } from "@parley/platform/errors.ts"
import { ANSWER_BYTES } from "@parley/platform/limits.ts"
import type { Logger } from "@parley/platform/log.ts"
import { MAX_EVENT_VARIABLES, MAX_VARIANT_CHARACTERS, MAX_VARIANTS } from "../limits.ts"
import { type Answer, answer, refusal } from "../operations/answer.ts"
import type { Executor, Variables } from "../operations/executor.ts"
import type { Operation } from "../operations/operation.ts"
import type { Graph } from "../supergraph/supergraph.ts"
import type { Ask } from "../upstream/ask.ts"
import type { Caller } from "../upstream/caller.ts"
import type { SubgraphResult } from "../upstream/data-sources.ts"
import { Spent } from "../upstream/spent.ts"

/** What is done with each event of a subscription document: the same object for all who subscribed alike. */
export interface CompiledSubscription {
  /** The subgraph whose events these are. */
  subgraph: string
  /**
   * No field of the document depends on who asks, so an event is worked out once for everyone who gets it, on
   * no user's behalf. Otherwise it is worked out for each subscriber, with that subscriber's token.
   */
  shareable: boolean
  /** What one event may have. */
  maxBytes: number
  /**
   * From a result of the subgraph to what the client asked for, both JSON; at once where nothing has to be fetched.
   * The caller of a shareable one is NOBODY. Rejects with UNAVAILABLE where the event cannot be completed now.
   */
  render(payload: string, caller: Caller): string | Promise<string>
}

export interface SubscriptionCompiler {
  /**
   * The compiled subscription, by document and by those variables that an event's looks depend on.
   * @throws ParleyError TOO_LARGE where these are more than a few switches: they live as long as the subscription.
   */
  of(operation: Operation, variables: Variables): CompiledSubscription
  /** What to ask the subgraph for. */
  ask(operation: Operation, variables: Variables): Ask
}

interface Prepared {
  subgraph: string
  shareable: boolean
  ask(variables: Variables): Ask
  /** Undefined where the subgraph's payload is the client's as it stands. */
  eventPlan: QueryPlan | undefined
  /** The variables that do more than say where to begin. */
  eventVariables: string[]
  /** Those that are shared; what comes beyond them is right, but not shared. */
  variants: Map<string, CompiledSubscription>
  /** Characters of their variables. */
  variantSize: number
}

export function createSubscriptionCompiler(options: {
  graph: Graph
  executor: Executor
  log: Logger
  /** Bytes of one event. */
  answerBytes?: number
}): SubscriptionCompiler {
  const { graph, executor, log } = options
  const known = new WeakMap<Operation, Prepared>()
  const answerBytes = options.answerBytes ?? ANSWER_BYTES

  function prepared(operation: Operation): Prepared {
    const cached = known.get(operation)
    if (cached) return cached
    const { plan, kind } = operation.route()
    if (plan.node?.kind !== "Subscription")
      throw new Error("A subscription has a subscription plan.")
    const { primary, rest } = plan.node
    // executeQueryPlan refuses subscriptions, but runs this plan: the event takes the place of the first fetch.
    const event = { ...primary, serviceName: EVENT }
    const node = rest ? { kind: "Sequence" as const, nodes: [event, rest] } : event
    const usages = primary.variableUsages ?? []
    const { operation: query, operationName } = primary
    const made: Prepared = {
      subgraph: primary.serviceName,
      shareable: !selectsMarked(graph.marked, operation.document, undefined, "viewer"),
      ask:
        kind === "direct"
          ? (variables) => ({ query: operation.text, variables })
          : (variables) => ({ query, operationName, variables: pick(variables, usages) }),
      eventPlan: kind === "direct" ? undefined : { kind: "QueryPlan", node },
      eventVariables: withoutRootArguments(operation.document, operation.node).variables,
      variants: new Map(),
      variantSize: 0,
    }
    known.set(operation, made)
    return made
  }

  function createProgram(operation: Operation, variables: Variables): CompiledSubscription {
    const { subgraph, shareable, eventPlan } = prepared(operation)
    const { context } = operation.route()

    async function execute(plan: QueryPlan, payload: string, caller: Caller): Promise<string> {
      try {
        const event = JSON.parse(payload) as SubgraphResult
        const sources = { [EVENT]: { process: async () => event } }
        const scope = { caller, setCookies: [], spent: new Spent(answerBytes) }
        const outcome = await executor.runPlan({ plan, context, variables, scope, sources })
        return checkComplete(answer(outcome, log), answerBytes)
      } catch (error) {
        return checkComplete(refusal(error, log), answerBytes)
      }
    }

    return {
      subgraph,
      shareable,
      maxBytes: answerBytes,
      render: eventPlan
        ? (payload, caller) => execute(eventPlan, payload, caller)
        : (payload) => payload,
    }
  }

  return {
    ask: (operation, variables) => prepared(operation).ask(variables),
    of(operation, variables) {
      const document = prepared(operation)
      const own = pick(variables, document.eventVariables)
      const key = JSON.stringify(own)
      const known = document.variants.get(key)
      if (known) return known
      if (key.length > MAX_EVENT_VARIABLES) throw tooManyVariables()
      const compiled = createProgram(operation, own)
      const size = document.variantSize + key.length
      if (document.variants.size < MAX_VARIANTS && size <= MAX_VARIANT_CHARACTERS) {
        document.variants.set(key, compiled)
        document.variantSize = size
      }
      return compiled
    },
  }
}

/**
 * An event that lacks something which is there, only not to be had just now, must not pass for what happened: its
 * reader would never hear of the rest.
 * @throws ParleyError UNAVAILABLE, upon which the subscription ends and resumes by position; TOO_LARGE, with which it
 * ends.
 */
function checkComplete({ json, retryable, code }: Answer, answerBytes: number): string {
  if (code === "TOO_LARGE") throw answerTooLarge(answerBytes)
  if (retryable) throw unavailable("An event cannot be completed just now: resume by position.")
  return json
}

const tooManyVariables = () =>
  new ParleyError(
    "TOO_LARGE",
    `The variables that a subscription's events depend on have at most ${MAX_EVENT_VARIABLES} characters.`,
  )

/** Not the name of any subgraph. */
const EVENT = "$event"

const pick = (variables: Variables, names: readonly string[]): Variables =>
  Object.fromEntries(
    names.flatMap((name) => (Object.hasOwn(variables, name) ? [[name, variables[name]]] : [])),
  )
