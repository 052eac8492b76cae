import type { Clock } from "@parley/platform/clock.ts"
import { ParleyError, unavailable } from "@parley/platform/errors.ts"
import type { RequestContext } from "@parley/platform/request-context.ts"
import { MAX_LOST } from "../limits.ts"
import type { OutboxPosition } from "../store/nodes.ts"
import type { Store } from "../store/store.ts"
import type { Tracing } from "../tracing.ts"
import { type ConversationState, fold } from "./conversation-state.ts"
import type { Entry, MembersEntry, MessageEntry } from "./entry.ts"
import { Lane, type Queued } from "./lane.ts"
import { type Outbox, positionAt } from "./outbox.ts"
import type { StateCache } from "./state-cache.ts"

/** What an entry is to say, before it has a place in the log. */
export type Draft =
  | Pick<MessageEntry, "kind" | "by" | "id" | "text">
  | Pick<MembersEntry, "kind" | "by" | "joined" | "left" | "promoted" | "demoted" | "created">

export interface Intent<T> {
  /** Who wants it: what one person wants waits behind what they wanted before, and not before what others want. */
  by: string
  /** The bytes of its text. */
  bytes: number
  /** A change of members is checked against everything before it, so it gets a batch of its own. */
  changesMembers: boolean
  /**
   * Checks the intent against the conversation as it is now and says what to append; undefined where there is nothing
   * to do. Writes nothing. Called again whenever another node was faster. @throws ParleyError where it is refused.
   */
  check(state: ConversationState): Draft | undefined
  /** The answer, once the entry is durable, or where there was nothing to do. */
  result(state: ConversationState, entry: Entry | undefined): T
  /** What brought it about. */
  cause?: RequestContext
  /** The answer where the log already has a message of that id. @throws ParleyError where it is another one. */
  taken?(message: MessageEntry): T
}

export interface Appender {
  /** Resolves once what the intent says is durable in the log. */
  append<T>(conversation: string, intent: Intent<T>): Promise<T>
  /** How many intents wait for their batch. */
  waiting(): number
}

export interface AppenderOptions {
  store: Store
  states: StateCache
  clock: Clock
  /**
   * Told of every stored entry, in order (of one that is sent again: again), with the conversation as it stands at that
   * entry, or a little later. Resolves once the other nodes will hear of it; undefined where there are none.
   */
  onStored(
    entry: Entry,
    state: ConversationState,
    cause?: RequestContext,
  ): Promise<void> | undefined
  /** Where there are other nodes. */
  outbox?: Outbox
  tracing?: Pick<Tracing, "stored">
  /** Told of each intent that is refused because too much waits. */
  onRefused?(): void
}

interface Waiting extends Queued {
  intent: Intent<unknown>
  resolve(result: unknown): void
  reject(reason: unknown): void
}

interface Checked {
  draft: Draft
  waiting: Waiting
}

/**
 * Appends to logs: the log is the lock. What waits for one conversation is stored as one batch at `head + 1`; where
 * another node took that seq, the entries it wrote are folded in, every intent is checked again, and the rest retried.
 */
export function createAppender(options: AppenderOptions): Appender {
  const { store, states, clock, onStored, outbox, tracing, onRefused } = options
  const lanes = new Map<string, Lane<Waiting>>()

  async function drain(conversation: string, lane: Lane<Waiting>, first: Waiting): Promise<void> {
    for (let batch = [first]; batch.length > 0; batch = lane.next()) {
      try {
        await commit(conversation, batch)
      } catch (error) {
        // The write may or may not have happened: a client that retries by the same id finds out from the log.
        states.forget(conversation)
        for (const waiting of batch) waiting.reject(error)
      }
    }
    lanes.delete(conversation)
  }

  async function commit(conversation: string, batch: Waiting[]): Promise<void> {
    const state = states.peek(conversation) ?? (await states.get(conversation))
    let rest = batch
    let isCurrent = false
    let lost = 0
    while (rest.length > 0) {
      if (lost === MAX_LOST) throw unavailable("This conversation is too busy just now.")
      if (state.heard > state.head) {
        await states.catchUp(state)
        isCurrent = true
      }
      const { head } = state
      const { checked, answers } = check(state, rest)
      // The state may be behind other nodes. A yes is put to the test by the append; a no only counts once the
      // state has been compared with the log.
      if (answers.length > 0 && !isCurrent) {
        await states.catchUp(state)
        isCurrent = true
        continue
      }
      for (const answer of answers) answer()
      rest = checked.map(({ waiting }) => waiting)
      await learnAuthors(state, checked)
      // A reader may have caught the state up: what was checked at another head is checked again.
      if (state.head !== head) continue

      const entries = place(state, checked)
      if (entries.length === 0) return
      const position = outbox?.reserve(entries.length)
      const beganAt = tracing ? performance.now() : 0
      const stored = await write(entries, position)
      for (let i = 0; i < stored; i++) {
        tracing?.stored(entries[i]!, checked[i]!.waiting.intent.cause, beganAt)
        const published = acknowledge(state, entries[i]!, checked[i]!.waiting)
        if (position) outbox?.stored(positionAt(position, i), published)
      }
      for (let i = stored; position && i < entries.length; i++)
        outbox?.unused(positionAt(position, i))
      if (stored === entries.length) return
      rest = rest.slice(stored)
      const known = await answeredByLog(entries.slice(stored), rest)
      if (known.size > 0) rest = rest.filter((waiting) => !known.has(waiting))
      lost = known.size > 0 || stored > 0 ? 0 : lost + 1
      await states.catchUp(state)
      // The seq is taken, and the log does not show it yet: the node that took it is about to be answered.
      if (lost > 0 && state.head === head) await Bun.sleep(lost)
      // The node that stored it may have failed before it told the others; being told twice harms none of them.
      const here = [...known].filter(([, message]) => message.conversation === conversation)
      here.sort(([, a], [, b]) => a.seq - b.seq)
      for (const [{ intent }, message] of here) tell(message, state, intent.cause)
    }
  }

  async function write(entries: Entry[], position: OutboxPosition | undefined): Promise<number> {
    try {
      return await store.append(entries, position)
    } catch (error) {
      if (position) outbox?.doubtful(position, entries.length)
      throw error
    }
  }

  /**
   * Where the first of these entries was refused for its message id, not its seq: answers its sender with what is
   * stored, and so every other whose id is in the log. A client that lost its answers sends many again at once.
   */
  async function answeredByLog(entries: Entry[], waiting: Waiting[]) {
    const known = new Map<Waiting, MessageEntry>()
    const [first] = entries
    if (first?.kind !== "message") return known
    const found = await store.messagesById([first.id])
    if (found.length === 0) return known
    const others = entries.slice(1).flatMap((entry) => (entry.kind === "message" ? entry.id : []))
    if (others.length > 0) found.push(...(await store.messagesById(others)))
    const byId = new Map(found.map((message) => [message.id, message]))
    for (const [index, entry] of entries.entries()) {
      const message = entry.kind === "message" ? byId.get(entry.id) : undefined
      if (!message) continue
      known.set(waiting[index]!, message)
      answer(waiting[index]!, message)
    }
    return known
  }

  function answer({ intent, resolve, reject }: Waiting, message: MessageEntry): void {
    try {
      resolve(intent.taken?.(message))
    } catch (error) {
      reject(error)
    }
  }

  /** What those intents that hold want appended, and how to answer the others. */
  function check(state: ConversationState, batch: Waiting[]) {
    const checked: Checked[] = []
    const answers: (() => void)[] = []
    for (const waiting of batch) {
      try {
        const draft = waiting.intent.check(state)
        if (draft) checked.push({ draft, waiting })
        else answers.push(() => waiting.resolve(waiting.intent.result(state, undefined)))
      } catch (error) {
        answers.push(() => waiting.reject(error))
      }
    }
    return { checked, answers }
  }

  /** Entries carry how many messages their author has written; for an author new to this state, the log is asked. */
  async function learnAuthors(state: ConversationState, checked: Checked[]): Promise<void> {
    for (const { draft } of checked) {
      if (state.authored.has(draft.by)) continue
      const { head } = state
      const count = await store.countMessages(state.id, 0, head, draft.by)
      // A reader who caught the state up meanwhile may have learnt a newer count, or passed over it.
      const isNewest = state.head === head && !state.authored.has(draft.by)
      if (isNewest) state.authored.set(draft.by, count)
    }
  }

  function place(state: ConversationState, checked: Checked[]): Entry[] {
    // Time may step back; the log's time does not.
    const at = Math.max(clock.now(), state.at)
    const authored = new Map<string, number>()
    let messages = state.messages
    return checked.map(({ draft }, index) => {
      const seq = state.head + 1 + index
      const isMessage = draft.kind === "message"
      const before = authored.get(draft.by) ?? state.authored.get(draft.by) ?? 0
      const ofAuthor = before + (isMessage ? 1 : 0)
      authored.set(draft.by, ofAuthor)
      if (isMessage) messages += 1
      const members = isMessage ? state.membersSeq : seq
      return { ...draft, conversation: state.id, seq, at, tally: { messages, ofAuthor, members } }
    })
  }

  function acknowledge(state: ConversationState, entry: Entry, waiting: Waiting) {
    // A reader may have found it in the log before its writer heard that it was stored.
    if (entry.seq > state.head) fold(state, entry)
    waiting.resolve(waiting.intent.result(state, entry))
    return tell(entry, state, waiting.intent.cause)
  }

  /** An entry that is stored stays stored where the telling fails, and so do those behind it: it has yet to be announced. */
  function tell(entry: Entry, state: ConversationState, cause: RequestContext | undefined) {
    try {
      return onStored(entry, state, cause)
    } catch (error) {
      const failed = Promise.reject(error)
      failed.catch(() => {})
      return failed
    }
  }

  return {
    append<T>(conversation: string, intent: Intent<T>) {
      return new Promise<T>((resolve, reject) => {
        const { by, bytes, changesMembers: alone } = intent
        const waiting = { by, bytes, alone, intent, resolve, reject } as Waiting
        const lane = lanes.get(conversation)
        if (!lane) {
          const opened = new Lane<Waiting>()
          lanes.set(conversation, opened)
          void drain(conversation, opened, waiting)
          return
        }
        const refused = lane.push(waiting)
        if (!refused) return
        onRefused?.()
        refused.reject(tooBusy())
      })
    },
    waiting: () => [...lanes.values()].reduce((sum, lane) => sum + lane.size, 0),
  }
}

const tooBusy = () =>
  new ParleyError("RATE_LIMITED", "This conversation is too busy just now.", {
    retryAfterMs: 1_000,
  })
