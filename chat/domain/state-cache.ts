import { createWeighedCache } from "@parley/platform/weighed-cache.ts"
import { CATCH_UP_PAGE, PAGE_BYTES, STATE_CACHE_BYTES } from "../limits.ts"
import type { Store } from "../store/store.ts"
import { type ConversationState, fold } from "./conversation-state.ts"
import { textBytes } from "./entry-bytes.ts"

/** About what a state takes in memory: by itself, for each member, and for each author. */
const STATE = 1_000
const MEMBER = 300
const AUTHOR = 100

export interface StateCache {
  /** The state this node has, or the store's; possibly behind other nodes, never ahead of the log. */
  get(conversation: string): Promise<ConversationState>
  /** What this node has at hand, without asking the store. */
  peek(conversation: string): ConversationState | undefined
  /** Takes in what other nodes have appended before this call. */
  catchUp(state: ConversationState): Promise<void>
  /**
   * Remembers that another node says it has stored an entry: the next writer looks at the log first, and need not
   * lose a seq to learn of it. What the entry says is learnt from the log alone.
   */
  hear(conversation: string, seq: number): void
  /** Forgets a state that may be wrong, after a write with an unknown outcome. */
  forget(conversation: string): void
}

interface Kept {
  state: ConversationState
  weight: number
}

interface CatchUp {
  running: Promise<void>
  /** Begins when the running one has ended; all who come meanwhile share it. */
  next: Promise<void> | undefined
}

export function createStateCache(store: Store, bytes = STATE_CACHE_BYTES): StateCache {
  const known = createWeighedCache<Kept>({ maxBytes: bytes, maxEntryBytes: bytes })
  const loading = new Map<string, Promise<ConversationState>>()
  const catching = new Map<ConversationState, CatchUp>()

  function keep(state: ConversationState): void {
    const weight = weigh(state)
    known.set(state.id, { state, weight }, weight)
  }

  function peek(conversation: string): ConversationState | undefined {
    const kept = known.get(conversation)
    if (!kept) return undefined
    // Who writes folds into the state itself, and members come and authors are learnt.
    if (weigh(kept.state) > 2 * kept.weight) keep(kept.state)
    return kept.state
  }

  async function load(conversation: string): Promise<ConversationState> {
    try {
      const state = await store.state(conversation)
      // A conversation that does not exist is not worth a place: anyone can ask for any id.
      if (state.head > 0) keep(state)
      return state
    } finally {
      loading.delete(conversation)
    }
  }

  async function catchUpNow(state: ConversationState): Promise<void> {
    const missed = await store.entries(state.id, state.head, CATCH_UP_PAGE, PAGE_BYTES)
    // Who writes may have folded in some of it meanwhile.
    for (const entry of missed) if (entry.seq > state.head) fold(state, entry)
    const bytes = missed.reduce((sum, entry) => sum + textBytes(entry), 0)
    if (missed.length === CATCH_UP_PAGE || bytes > PAGE_BYTES) await loadAnew(state)
    if (state.head > 0) keep(state)
    // What is not in the log by now is not waited for.
    state.heard = state.head
  }

  /** What is far behind is loaded in one step, however far; it costs as much as there are members. */
  async function loadAnew(state: ConversationState): Promise<void> {
    const { id: _, ...present } = await store.state(state.id)
    // Without the counts of authors, which are learnt again.
    if (present.head > state.head) Object.assign(state, present)
  }

  /** One at a time for each state. What is under way may have read the log before the call, so it is not enough. */
  function catchUp(state: ConversationState): Promise<void> {
    const under = catching.get(state)
    if (!under) return begin(state)
    under.next ??= under.running.then(
      () => begin(state),
      () => begin(state),
    )
    return under.next
  }

  function begin(state: ConversationState): Promise<void> {
    const running = catchUpNow(state).finally(() => {
      if (catching.get(state) === mine) catching.delete(state)
    })
    const mine: CatchUp = { running, next: undefined }
    catching.set(state, mine)
    return running
  }

  return {
    peek,
    async get(conversation) {
      const state = peek(conversation)
      if (state) return state
      const pending = loading.get(conversation) ?? load(conversation)
      if (!known.peek(conversation)) loading.set(conversation, pending)
      return pending
    },
    catchUp,
    hear(conversation, seq) {
      const state = known.peek(conversation)?.state
      if (state) state.heard = Math.max(state.heard, seq)
    },
    forget: (conversation) => known.delete(conversation),
  }
}

const weigh = ({ members, authored }: ConversationState): number =>
  STATE + members.size * MEMBER + authored.size * AUTHOR
