import type { SubscriptionRequest } from "@parley/link/subgraph.ts"
import type { Clock } from "@parley/platform/clock.ts"
import { badInput, ParleyError, unauthenticated } from "@parley/platform/errors.ts"
import { logFor } from "@parley/platform/request-context.ts"
import {
  type GraphQLSchema,
  getArgumentValues,
  getOperationAST,
  getVariableValues,
  Kind,
} from "graphql"
import * as v from "valibot"
import { type Positions, type ReplayOptions, replay } from "../delivery/replay.ts"
import type { CompiledSubscription, Subscription } from "../delivery/subscription.ts"
import {
  MAX_ID_LENGTH,
  POSITIONS,
  POSITIONS_PER_PERSON,
  SUBSCRIPTIONS_PER_PERSON,
  SUBSCRIPTIONS_RETRY_MS,
} from "../limits.ts"
import type { ChatContext } from "./context.ts"
import type { SubscriptionCompiler } from "./subscription-compiler.ts"

const After = v.nullish(
  v.pipe(
    v.array(
      v.object({
        conversation: v.pipe(v.string(), v.maxLength(MAX_ID_LENGTH)),
        seq: v.pipe(v.number(), v.minValue(0)),
      }),
    ),
    v.maxLength(POSITIONS),
  ),
)

/** What one person has here. */
interface Counts {
  /** Subscriptions. */
  subscriptions: number
  /** Replays that wait or are under way, those of ended subscriptions too: each comes to its turn. */
  replays: number
  /** The positions that these start from. */
  positions: number
}

export interface EventsOptions extends ReplayOptions {
  clock: Clock
}

/** Opens `events` subscriptions: the way in of a subscription, from a checked document to the hub. */
export function createEvents(
  schema: GraphQLSchema,
  compiler: SubscriptionCompiler,
  options: EventsOptions,
) {
  const people = new Map<string, Counts>()
  function count(user: string, by: Partial<Counts>): void {
    const counts = people.get(user) ?? { subscriptions: 0, replays: 0, positions: 0 }
    counts.subscriptions += by.subscriptions ?? 0
    counts.replays += by.replays ?? 0
    counts.positions += by.positions ?? 0
    if (counts.subscriptions + counts.replays > 0) people.set(user, counts)
    else people.delete(user)
  }

  /** @throws ParleyError RATE_LIMITED where the person has too many for one more. */
  function check(user: string, morePositions = 0): void {
    const counts = people.get(user)
    if (!counts) return
    const { subscriptions, replays, positions } = counts
    if (Math.max(subscriptions, replays) >= SUBSCRIPTIONS_PER_PERSON) throw tooMany()
    if (positions + morePositions > POSITIONS_PER_PERSON) throw tooMany()
  }

  return ({ id, link, cause, args, end }: SubscriptionRequest<ChatContext>): (() => void) => {
    const { viewer } = args.contextValue
    let start: Start
    let compiled: CompiledSubscription
    try {
      if (viewer === undefined) throw unauthenticated()
      check(viewer)
      start = believable(startOf(schema, args), options.clock.now())
      check(viewer, start.positions?.size)
      compiled = compiler.of(args)
    } catch (error) {
      end(error as ParleyError)
      return () => {}
    }

    const subscription: Subscription = {
      user: viewer,
      compiled,
      link,
      id,
      phase: "replaying",
      buffer: [],
      bufferedBytes: 0,
      covered: new Map(),
      departed: new Map(),
      end(error) {
        stop()
        end(error)
      },
    }
    function stop(): void {
      if (subscription.phase === "ended") return
      subscription.phase = "ended"
      subscription.buffer = []
      subscription.bufferedBytes = 0
      count(subscription.user, { subscriptions: -1 })
      compiler.release(subscription.compiled)
      options.hub.unregister(subscription)
    }
    const { positions, since } = start
    const named = positions?.size ?? 0
    count(viewer, { subscriptions: 1, replays: 1, positions: named })
    void replay(
      subscription,
      positions,
      { ...options, log: logFor(options.log, cause) },
      since,
    ).finally(() => count(viewer, { replays: -1, positions: -named }))
    return stop
  }
}

/** Where a client says that it is; nothing where it wants nothing old. */
interface Start {
  positions: Positions | undefined
  /** ms since the epoch. */
  since: number | undefined
}

/**
 * A client that has everything up to a time that is yet to come goes by entries of a node whose clock was wrong: how far
 * it is in the conversations that it does not name is unknown then, and they count from their beginning.
 */
function believable(start: Start, now: number): Start {
  if (start.since === undefined || start.since <= now) return start
  return { positions: start.positions ?? new Map(), since: undefined }
}

/** The arguments of the one field that a subscription has. @throws ParleyError BAD_INPUT */
function startOf(
  schema: GraphQLSchema,
  { document, operationName, variableValues }: SubscriptionRequest<ChatContext>["args"],
): Start {
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
  const positions = after.output?.map(({ conversation, seq }) => [conversation, seq] as const)
  return {
    positions: positions && new Map(positions),
    since: (given.since as number | null | undefined) ?? undefined,
  }
}

const tooMany = () =>
  new ParleyError("RATE_LIMITED", "You have too many subscriptions: end some.", {
    retryAfterMs: SUBSCRIPTIONS_RETRY_MS,
  })
