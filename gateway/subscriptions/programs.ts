import type { QueryPlan } from "@apollo/query-planner"
import { unavailable } from "@parley/service/errors.ts"
import { withoutRootArguments } from "@parley/service/event-documents.ts"
import type { Logger } from "@parley/service/log.ts"
import { selectsMarked } from "@parley/service/marked-fields.ts"
import { type Answer, answer, refusal } from "../operations/answer.ts"
import type { Executor, Variables } from "../operations/executor.ts"
import type { Operation } from "../operations/operation.ts"
import type { Graph } from "../supergraph/supergraph.ts"
import type { Caller } from "../upstream/caller.ts"
import type { SubgraphResult } from "../upstream/data-sources.ts"
import type { Ask } from "../upstream/link.ts"

/** What is done with each event of a subscription document: the same object for all who subscribed alike. */
export interface Program {
  /** The subgraph whose events these are. */
  subgraph: string
  /**
   * No field of the document depends on who asks, so an event is worked out once for everyone who gets it, on
   * nobody's behalf. Otherwise it is worked out for each subscriber, with that subscriber's token.
   */
  shareable: boolean
  /**
   * From a result of the subgraph to what the client asked for, both JSON; at once where nothing has to be fetched.
   * The caller of a shareable one is NOBODY. Rejects with UNAVAILABLE where the event cannot be completed now.
   */
  render(payload: string, caller: Caller): string | Promise<string>
}

export interface Programs {
  /** The program of a subscription, by document and by those variables that an event's looks depend on. */
  of(operation: Operation, variables: Variables): Program
  /** What to ask the subgraph for. */
  ask(operation: Operation, variables: Variables): Ask
}

/** More variants of one document than this are programs of their own: right, but not shared. */
const MAX_VARIANTS = 100
/** Characters of a variant's variables, as JSON. Longer ones are programs of their own, too: a hundred of them are kept. */
const MAX_VARIANT_CHARACTERS = 256

interface Prepared {
  subgraph: string
  shareable: boolean
  ask(variables: Variables): Ask
  /** Undefined where the subgraph's payload is the client's as it stands. */
  eventPlan: QueryPlan | undefined
  /** The variables that do more than say where to begin. */
  eventVariables: string[]
  variants: Map<string, Program>
}

export function createPrograms(options: {
  graph: Graph
  executor: Executor
  log: Logger
}): Programs {
  const { graph, executor, log } = options
  const known = new WeakMap<Operation, Prepared>()

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
    }
    known.set(operation, made)
    return made
  }

  function createProgram(operation: Operation, variables: Variables): Program {
    const { subgraph, shareable, eventPlan } = prepared(operation)
    const { context } = operation.route()

    async function execute(plan: QueryPlan, payload: string, caller: Caller): Promise<string> {
      try {
        const event = JSON.parse(payload) as SubgraphResult
        const sources = { [EVENT]: { process: async () => event } }
        const scope = { caller, setCookies: [] }
        const outcome = await executor.runPlan({ plan, context, variables, scope, sources })
        return checkComplete(answer(outcome, log))
      } catch (error) {
        return checkComplete(refusal(error, log))
      }
    }

    return {
      subgraph,
      shareable,
      render: eventPlan
        ? (payload, caller) => execute(eventPlan, payload, caller)
        : (payload) => payload,
    }
  }

  return {
    ask: (operation, variables) => prepared(operation).ask(variables),
    of(operation, variables) {
      const { eventVariables, variants } = prepared(operation)
      const own = pick(variables, eventVariables)
      const key = JSON.stringify(own)
      const program = variants.get(key) ?? createProgram(operation, own)
      if (variants.size < MAX_VARIANTS && key.length <= MAX_VARIANT_CHARACTERS) {
        variants.set(key, program)
      }
      return program
    },
  }
}

/**
 * An event that lacks something which is there, only not to be had just now, must not pass for what happened: its
 * reader would never hear of the rest.
 * @throws ParleyError UNAVAILABLE, upon which the subscription ends and resumes by position.
 */
function checkComplete({ json, retryable }: Answer): string {
  if (retryable) throw unavailable("An event cannot be completed just now: resume by position.")
  return json
}

/** Not the name of any subgraph. */
const EVENT = "$event"

const pick = (variables: Variables, names: readonly string[]): Variables =>
  Object.fromEntries(
    names.flatMap((name) => (Object.hasOwn(variables, name) ? [[name, variables[name]]] : [])),
  )
