import { executeQueryPlan } from "@apollo/gateway"
import { badInput, ParleyError, unavailable } from "@parley/platform/errors.ts"
import { ANSWER_BYTES } from "@parley/platform/limits.ts"
import { type Logger, silentLogger } from "@parley/platform/log.ts"
import { logFor } from "@parley/platform/request-context.ts"
import { createWeighedCache } from "@parley/platform/weighed-cache.ts"
import { executeSync, type GraphQLError, getVariableValues } from "graphql"
import { INTROSPECTION_BYTES, MAX_EVENT_ITEMS, MAX_ITEMS, MAX_OPERATION_MS } from "../limits.ts"
import type { Observers } from "../observers.ts"
import type { Graph } from "../supergraph/supergraph.ts"
import { createViewerCheck } from "../supergraph/viewer-check.ts"
import type { Upstreamed } from "../upstream/ask.ts"
import type { Caller, Pools } from "../upstream/caller.ts"
import { createDataSources, type Scope, type SubgraphResult } from "../upstream/data-sources.ts"
import { Spent } from "../upstream/spent.ts"
import { type Answer, answer, bounded, type ExecutionOutcome, refusal } from "./answer.ts"
import type { Operation, OperationContext } from "./operation.ts"

export type Variables = Record<string, unknown>

export interface Executor {
  /** Runs a query or mutation. Never rejects: what goes wrong is in the answer. */
  run(operation: Operation, variables: Variables, caller: Caller): Promise<Answer>
  /**
   * Checks a request's variables against the operation.
   * @returns the variables as given, without those that the operation does not declare, or the refusal.
   */
  variables(operation: Operation, given: Variables): CheckedVariables
  /** Runs a plan of the planner's, with further sources of data for it. */
  runPlan(run: PlanRun): Promise<ExecutionOutcome>
}

export interface PlanRun {
  plan: Parameters<typeof executeQueryPlan>[0]
  context: OperationContext
  variables: Variables
  scope: Scope
  sources?: Record<string, { process(request: unknown): Promise<unknown> }>
}

export type CheckedVariables =
  | { values: Variables; items: number; refusal?: undefined }
  | { refusal: readonly unknown[] }

export interface ExecutorOptions<S extends Upstreamed> extends Observers {
  graph: Graph
  pools: Pools<S>
  log: Logger
  /** Bytes of one answer. */
  answerBytes?: number
  /** How long one operation may take in all, in ms; MAX_OPERATION_MS unless given. */
  within?: number
}

export function createExecutor<S extends Upstreamed>(options: ExecutorOptions<S>): Executor {
  const { graph, pools, log, tracing, metrics, answerBytes = ANSWER_BYTES } = options
  const { within: longest = MAX_OPERATION_MS } = options
  const subgraphs = createDataSources(pools, createViewerCheck(graph.marked))
  /** Tools ask for the whole schema, with the same few documents; each answer takes milliseconds to make. */
  const introspected = createWeighedCache<Answer>({
    maxBytes: INTROSPECTION_BYTES,
    maxEntryBytes: INTROSPECTION_BYTES,
  })

  async function direct(
    subgraph: string,
    { text, kind }: Operation,
    variables: Variables,
    caller: Caller,
  ): Promise<Answer> {
    const ask = { query: text, variables, repeatable: kind === "query" }
    const payload = await pools.get(subgraph)!.request(ask, caller)
    if (isPlainData(payload))
      return { json: payload, refused: undefined, code: "OK", retryable: false, setCookies: [] }
    const { data, errors, extensions } = JSON.parse(payload) as SubgraphResult
    return answer({ data, errors }, logFor(log, caller.cause), extensions?.setCookies)
  }

  function introspect(operation: Operation, variables: Variables): Answer {
    const { document, text } = operation
    const isPlain = Object.keys(variables).length === 0
    const known = isPlain ? introspected.get(text) : undefined
    if (known) return known
    const result = answer(
      executeSync({ schema: graph.api, document, variableValues: variables }),
      log,
    )
    if (isPlain) introspected.set(text, result, 2 * result.json.length)
    return result
  }

  const runPlan = ({ plan, context, variables, scope, sources }: PlanRun) =>
    executeQueryPlan(
      plan,
      (sources ? { ...subgraphs, ...sources } : subgraphs) as never,
      { request: { variables }, context: { scope }, metrics: {}, logger: silentLogger } as never,
      context,
      graph.marked,
      graph.apiModel,
      undefined as never,
    ) as Promise<ExecutionOutcome>

  async function run(operation: Operation, variables: Variables, caller: Caller): Promise<Answer> {
    try {
      if (operation.roots.introspectionOnly) return introspect(operation, variables)
      const route = operation.route()
      if (route.kind === "direct") {
        return bounded(await direct(route.subgraph, operation, variables, caller), answerBytes)
      }
      const scope: Scope = { caller, setCookies: [], spent: new Spent(answerBytes) }
      const { plan, context } = route
      const outcome = await within(longest, runPlan({ plan, context, variables, scope }))
      return bounded(answer(outcome, logFor(log, caller.cause), scope.setCookies), answerBytes)
    } catch (error) {
      return refusal(error, logFor(log, caller.cause))
    }
  }

  async function runWatched(
    operation: Operation,
    variables: Variables,
    caller: Caller,
  ): Promise<Answer> {
    const running = tracing?.running(operation, caller)
    const beganAt = performance.now()
    const answer = await run(operation, variables, running?.caller ?? caller)
    metrics?.answered(operation.kind, answer.code, performance.now() - beganAt)
    running?.done(answer.code)
    return answer
  }

  return {
    runPlan,
    variables({ node, kind, items }, given) {
      const { coerced, errors } = getVariableValues(
        graph.api,
        node.variableDefinitions ?? [],
        given,
        { maxErrors: 5 },
      )
      if (errors) return { refusal: errors.map(inputError) }
      const count = items(coerced)
      const limit = kind === "subscription" ? MAX_EVENT_ITEMS : MAX_ITEMS
      if (count > limit) return { refusal: [tooManyItems(kind, limit)] }
      return { values: declaredOnly(given, coerced), items: count }
    },
    run: tracing || metrics ? runWatched : run,
  }
}

/** @throws ParleyError UNAVAILABLE after so many ms; what is under way then has its own end at the link. */
async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(unavailable("The answer takes too long just now.")), ms)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}

const tooManyItems = (kind: Operation["kind"], limit: number) =>
  new ParleyError(
    "TOO_LARGE",
    `One ${kind === "subscription" ? "event" : "operation"} may ask for ${limit} items: ask for shorter lists.`,
  )

/**
 * Whether a subgraph's result is data and nothing else, so that it may leave as it came. Neither mark can be part of a
 * string: there, its quotes would be escaped.
 */
const isPlainData = (payload: string) =>
  payload.startsWith('{"data":') &&
  !payload.includes('"errors":[') &&
  !payload.includes('"extensions":{')

/** The subgraphs coerce for themselves: they get what the client sent, of what the operation declares. */
function declaredOnly(given: Variables, coerced: Variables): Variables {
  const declared: Variables = {}
  for (const name of Object.keys(coerced)) {
    declared[name] = Object.hasOwn(given, name) ? given[name] : coerced[name]
  }
  return declared
}

const inputError = ({ message }: GraphQLError) =>
  badInput(
    / at "([\w.[\]]+)"/.exec(message)?.[1] ?? /"\$(\w+)"/.exec(message)?.[1] ?? "variables",
    message,
  )
