import { logFor } from "@parley/service/cause.ts"
import { badInput, type ParleyError, unauthenticated } from "@parley/service/errors.ts"
import type { Subscription } from "@parley/service/subgraph.ts"
import {
  type GraphQLSchema,
  getArgumentValues,
  getOperationAST,
  getVariableValues,
  Kind,
} from "graphql"
import * as v from "valibot"
import { type Positions, type ReplayOptions, replay } from "../delivery/replay.ts"
import type { Session } from "../delivery/session.ts"
import type { ChatContext } from "./context.ts"
import type { Programs } from "./programs.ts"

/** As many conversations as one account can sensibly be in, and one subscription can name. */
const MAX_POSITIONS = 10_000

const After = v.nullish(
  v.pipe(
    v.array(v.object({ conversation: v.string(), seq: v.pipe(v.number(), v.minValue(0)) })),
    v.maxLength(MAX_POSITIONS),
  ),
)

/** Opens `events` subscriptions: the way in of a session, from a checked document to the hub. */
export function createEvents(schema: GraphQLSchema, programs: Programs, options: ReplayOptions) {
  return ({ id, link, cause, args, end }: Subscription<ChatContext>): (() => void) => {
    const { viewer } = args.contextValue
    let positions: Positions | undefined
    try {
      if (viewer === undefined) throw unauthenticated()
      positions = positionsOf(schema, args)
    } catch (error) {
      end(error as ParleyError)
      return () => {}
    }

    const session: Session = {
      user: viewer,
      program: programs.of(args),
      link,
      id,
      phase: "replaying",
      buffer: [],
      covered: new Map(),
      departed: new Map(),
      end(error) {
        stop()
        end(error)
      },
    }
    function stop(): void {
      if (session.phase === "ended") return
      session.phase = "ended"
      session.buffer = []
      options.hub.unregister(session)
    }
    void replay(session, positions, { ...options, log: logFor(options.log, cause) })
    return stop
  }
}

/** The `after` argument of the one field that a subscription has. @throws ParleyError BAD_INPUT */
function positionsOf(
  schema: GraphQLSchema,
  { document, operationName, variableValues }: Subscription<ChatContext>["args"],
): Positions | undefined {
  const operation = getOperationAST(document, operationName)
  const field = operation?.selectionSet.selections.find((node) => node.kind === Kind.FIELD)
  const definition = schema.getSubscriptionType()?.getFields().events
  if (!operation || !field || !definition) throw badInput("query", "A subscription selects events.")
  const { coerced, errors } = getVariableValues(
    schema,
    operation.variableDefinitions ?? [],
    variableValues ?? {},
    { maxErrors: 1 },
  )
  if (errors?.[0]) throw badInput("after", errors[0].message)
  const given = getArgumentValues(definition, field, coerced)
  const after = v.safeParse(After, given.after)
  if (!after.success) throw badInput("after", "Each conversation with a seq of 0 or more, please.")
  if (!after.output) return undefined
  return new Map(after.output.map(({ conversation, seq }) => [conversation, seq]))
}
