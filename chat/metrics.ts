import { ParleyError } from "@parley/platform/errors.ts"
import type { Metrics } from "@parley/platform/metrics.ts"
import { storeTimings, timed } from "@parley/platform/timed.ts"
import type { ReplayOutcome } from "./delivery/replay.ts"
import type { OnLimited } from "./domain/allowance.ts"
import type { Messages } from "./domain/messages.ts"
import { type Parts, watchParts } from "./gauges.ts"
import type { Store } from "./store/store.ts"

/** The metrics of a chat node; docs/observability.md says what each tells. */
export interface ChatMetrics {
  /** The same store, watched. */
  store(store: Store): Store
  /** The same messages, with what becomes of them counted. */
  messages(messages: Messages): Messages
  onReplay(entries: number, outcome: ReplayOutcome): void
  /** A person was told that it is too much, or that it may not be. */
  onLimited: OnLimited
  /** Reads what waits and what is live, whenever the metrics are read. */
  watch(parts: Parts): void
}

const OPERATIONS = [
  ...(["append", "state", "origin", "entry", "entries", "seqAt", "messages"] as const),
  ...(["messagesById", "countMessages", "authors", "member", "members", "countMembers"] as const),
  ...(["memberships", "conversations", "moveMarks", "lowestMarks", "ping"] as const),
] satisfies (keyof Store)[]

const REPLAY_SIZES = [0, 1, 3, 10, 30, 100, 300, 1_000, 3_000]

export function createChatMetrics(metrics: Metrics): ChatMetrics {
  const stored = metrics.counters("parley_chat_entries_stored_total", "Entries of logs stored.", [
    "kind",
  ])
  const acknowledged = metrics.counter(
    "parley_chat_acknowledgements_total",
    "Messages acknowledged to their senders, retries among them.",
  )
  const refused = metrics.counters(
    "parley_chat_refusals_total",
    "Messages not taken, by error code.",
    ["code"],
  )
  const limited = metrics.counters(
    "parley_chat_limited_total",
    "Writes refused by a bound of their author's, by which.",
    ["bound"],
  )
  const replays = metrics.counters("parley_chat_replays_total", "Replays, by what came of them.", [
    "outcome",
  ])
  const replayed = metrics.histogram(
    "parley_chat_replay_entries",
    "Missed entries sent by a replay.",
    REPLAY_SIZES,
  )

  return {
    store(store) {
      const watched = timed(store, OPERATIONS, storeTimings(metrics, "chat"))
      const { append } = watched
      watched.append = async (entries, position) => {
        const count = await append(entries, position)
        for (let i = 0; i < count; i++) stored.of(entries[i]!.kind).inc()
        return count
      }
      return watched
    },

    messages: ({ send }) => ({
      async send(...message) {
        try {
          const entry = await send(...message)
          acknowledged.inc()
          return entry
        } catch (error) {
          refused.of(error instanceof ParleyError ? error.code : "INTERNAL").inc()
          throw error
        }
      },
    }),

    onLimited: (bound) => limited.of(bound).inc(),
    onReplay(entries, outcome) {
      replays.of(outcome).inc()
      replayed.observe(entries)
    },

    watch: (parts) => watchParts(metrics, parts),
  }
}
