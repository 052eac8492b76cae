import { buildOperationContext } from "@apollo/gateway"
import type { QueryPlan } from "@apollo/query-planner"
import { ParleyError } from "@parley/platform/errors.ts"
import {
  type DocumentNode,
  type FragmentDefinitionNode,
  Kind,
  type OperationDefinitionNode,
  type OperationTypeNode,
  print,
  validate,
} from "graphql"
import { listCost } from "../limits/list-cost.ts"
import { isTooLong } from "../limits/plan-length.ts"
import { MAX_PLANNED_CHARACTERS } from "../limits.ts"
import { type RootFields, rootFieldsOf } from "../supergraph/root-fields.ts"
import { dealsOnlyIn } from "../supergraph/same-types.ts"
import type { Graph } from "../supergraph/supergraph.ts"

/** One valid operation of a document, and what is worked out about it once, for all its runs. */
export interface Operation {
  kind: OperationTypeNode
  /** The operation alone, with the fragments it uses: the same object as long as the operation is remembered. */
  document: DocumentNode
  /** The same as text. */
  text: string
  node: OperationDefinitionNode
  roots: RootFields
  /** How many items these variables ask for; counted up to a little more than may be asked for. */
  items(variables: Readonly<Record<string, unknown>>): number
  /**
   * Made when first needed: a caller who may not run it makes the gateway plan nothing.
   * @throws ParleyError TOO_LARGE where the plan has more text than the subgraphs take
   */
  route(): Route
  isPlanned(): boolean
}

/**
 * How an operation is answered. `direct`: one subgraph understands the client's own text as the API does, so its answer
 * is the answer.
 * `plan`: what the query planner says, run by `executeQueryPlan`.
 */
export type Route =
  | { kind: "direct"; subgraph: string; plan: QueryPlan; context: OperationContext }
  | { kind: "plan"; plan: QueryPlan; context: OperationContext }

export type OperationContext = ReturnType<typeof buildOperationContext>

/**
 * Makes an operation of a valid document that has it alone, with the fragments it uses. A subgraph gets it as printed and not as its client wrote it: comments
 * and blanks end here.
 */
export function createOperation(
  graph: Graph,
  document: DocumentNode,
  node: OperationDefinitionNode,
  fragments: ReadonlyMap<string, FragmentDefinitionNode>,
): Operation {
  const text = print(document)
  let route: Route | ParleyError | undefined
  return {
    kind: node.operation,
    document,
    text,
    node,
    roots: rootFieldsOf(graph.marked, node, fragments),
    items: listCost(graph.marked, node, fragments),
    isPlanned: () => route !== undefined,
    route() {
      route ??= findRoute(graph, document, text, node)
      if (route instanceof ParleyError) throw route
      return route
    },
  }
}

function findRoute(
  graph: Graph,
  document: DocumentNode,
  text: string,
  node: OperationDefinitionNode,
): Route | ParleyError {
  const plan = graph.plan(document)
  if (text.length > MAX_PLANNED_CHARACTERS || isTooLong(plan)) return tooLong()
  const context = buildOperationContext({ schema: graph.api, operationDocument: document })
  const name = onlySubgraph(plan)
  const subgraph = name === undefined ? undefined : graph.subgraphs.get(name)
  // The plan asks one subgraph only. The gateway may send it the client's text where that text is valid there as it
  // stands, and where the types in it are the API's: the answer then needs no shaping. Introspection's types never are.
  // chat wants the root field of a subscription where it can see it.
  const direct =
    name !== undefined &&
    subgraph !== undefined &&
    !(node.operation === "subscription" && node.selectionSet.selections[0]?.kind !== Kind.FIELD) &&
    dealsOnlyIn(subgraph.same, graph.api, document) &&
    validate(subgraph.schema, document).length === 0
  return direct
    ? { kind: "direct", subgraph: name, plan, context }
    : { kind: "plan", plan, context }
}

const tooLong = () =>
  new ParleyError(
    "TOO_LARGE",
    "This document comes to too much text for one of the services: ask for less at once.",
  )

function onlySubgraph({ node }: QueryPlan): string | undefined {
  const fetch = node?.kind === "Subscription" && !node.rest ? node.primary : node
  if (fetch?.kind !== "Fetch" || fetch.requires) return undefined
  // An operation that was rewritten answers in another shape than the client's.
  if (fetch.inputRewrites?.length || fetch.outputRewrites?.length) return undefined
  return fetch.serviceName
}
