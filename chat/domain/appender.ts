import type { Cause } from "@parley/service/cause.ts"
import type { Clock } from "@parley/service/clock.ts"
import { ParleyError, unavailable } from "@parley/service/errors.ts"
import type { Stamp } from "../store/nodes.ts"
import type { Store } from "../store/store.ts"
import type { Trail } from "../trail.ts"
import type { Entry, MembersEntry, MessageEntry } from "./entry.ts"
import { type Outbox, stampAt } from "./outbox.ts"
import { fold, type Picture } from "./picture.ts"
import type { Pictures } from "./pictures.ts"

/** What an entry is to say, before it has a place in the log. */
export type Draft =
  | Pick<MessageEntry, "kind" | "by" | "id" | "text">
  | Pick<MembersEntry, "kind" | "by" | "joined" | "left" | "promoted" | "demoted" | "created">

export interface Intent<T> {
  /** A change of members is checked against everything before it, so it gets a batch of its own. */
  changesMembers: boolean
  /**
   * Checks the intent against the conversation as it is now and says what to append; undefined where there is nothing
   * to do. Writes nothing. Called again whenever another node was faster. @throws ParleyError where it is refused.
   */
  check(picture: Picture): Draft | undefined
  /** The answer, once the entry is durable, or where there was nothing to do. */
  result(picture: Picture, entry: Entry | undefined): T
  /** What brought it about. */
  cause?: Cause
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
  pictures: Pictures
  clock: Clock
  /**
   * Told of every stored entry, in order (of one that is sent again: again), with the conversation as it stands at that
   * entry, or a little later. Resolves once the other nodes will hear of it; undefined where there are none.
   */
  onStored(entry: Entry, picture: Picture, cause?: Cause): Promise<void> | undefined
  /** Where there are other nodes. */
  outbox?: Outbox
  trail?: Pick<Trail, "stored">
}

/** One batch is one write; large enough for a busy group, small enough to be quick. */
const MAX_BATCH = 256
/** More intents than this for one conversation at one node are refused. */
const MAX_WAITING = 10_000
/** Losing a seq this often in a row means something else is wrong. */
const MAX_LOST = 100

interface Waiting {
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
  const { store, pictures, clock, onStored, outbox, trail } = options
  const lanes = new Map<string, Waiting[]>()

  async function drain(conversation: string, lane: Waiting[]): Promise<void> {
    while (lane.length > 0) {
      const batch = nextBatch(lane)
      try {
        await commit(conversation, batch)
      } catch (error) {
        // The write may or may not have happened: whoever retries by the same id finds out from the log.
        pictures.forget(conversation)
        for (const waiting of batch) waiting.reject(error)
      }
    }
    lanes.delete(conversation)
  }

  async function commit(conversation: string, batch: Waiting[]): Promise<void> {
    const picture = pictures.peek(conversation) ?? (await pictures.get(conversation))
    let rest = batch
    let isCurrent = false
    let lost = 0
    while (rest.length > 0) {
      if (lost === MAX_LOST) throw unavailable("This conversation is too busy just now.")
      if (picture.heard > picture.head) {
        await pictures.catchUp(picture)
        isCurrent = true
      }
      const { head } = picture
      const { checked, answers } = check(picture, rest)
      // The picture may be behind other nodes. A yes is put to the test by the append; a no only counts once the
      // picture has been compared with the log.
      if (answers.length > 0 && !isCurrent) {
        await pictures.catchUp(picture)
        isCurrent = true
        continue
      }
      for (const answer of answers) answer()
      rest = checked.map(({ waiting }) => waiting)
      await learnAuthors(picture, checked)
      // A reader may have caught the picture up: what was checked at another head is checked again.
      if (picture.head !== head) continue

      const entries = place(picture, checked)
      if (entries.length === 0) return
      const stamp = outbox?.stamp(entries.length)
      const beganAt = trail ? performance.now() : 0
      const stored = await write(entries, stamp)
      for (let i = 0; i < stored; i++) {
        trail?.stored(entries[i]!, checked[i]!.waiting.intent.cause, beganAt)
        const published = acknowledge(picture, entries[i]!, checked[i]!.waiting)
        if (stamp) outbox?.stored(stampAt(stamp, i), published)
      }
      for (let i = stored; stamp && i < entries.length; i++) outbox?.unused(stampAt(stamp, i))
      if (stored === entries.length) return
      rest = rest.slice(stored)
      const { cause } = rest[0]!.intent
      const known = await answeredByLog(entries[stored]!, rest[0]!)
      if (known) rest.shift()
      lost = known || stored > 0 ? 0 : lost + 1
      await pictures.catchUp(picture)
      // Taken, and not to be seen yet: whoever took it is about to be answered.
      if (lost > 0 && picture.head === head) await Bun.sleep(lost)
      // Whoever stored it may have failed before telling anyone; being told twice harms nobody.
      if (known?.conversation === conversation) onStored(known, picture, cause)
    }
  }

  async function write(entries: Entry[], stamp: Stamp | undefined): Promise<number> {
    try {
      return await store.append(entries, stamp)
    } catch (error) {
      if (stamp) outbox?.doubtful(stamp, entries.length)
      throw error
    }
  }

  /** Where an entry was refused for its message id, not its seq: answers whoever sent it with what is stored. */
  async function answeredByLog(entry: Entry, waiting: Waiting): Promise<MessageEntry | undefined> {
    if (entry.kind !== "message") return undefined
    const [message] = await store.messagesById([entry.id])
    if (!message) return undefined
    try {
      waiting.resolve(waiting.intent.taken?.(message))
    } catch (error) {
      waiting.reject(error)
    }
    return message
  }

  /** What those intents that hold want appended, and how to answer the others. */
  function check(picture: Picture, batch: Waiting[]) {
    const checked: Checked[] = []
    const answers: (() => void)[] = []
    for (const waiting of batch) {
      try {
        const draft = waiting.intent.check(picture)
        if (draft) checked.push({ draft, waiting })
        else answers.push(() => waiting.resolve(waiting.intent.result(picture, undefined)))
      } catch (error) {
        answers.push(() => waiting.reject(error))
      }
    }
    return { checked, answers }
  }

  /** Entries carry how many messages their author has written; for an author new to this picture, the log is asked. */
  async function learnAuthors(picture: Picture, checked: Checked[]): Promise<void> {
    for (const { draft } of checked) {
      if (picture.authored.has(draft.by)) continue
      const { head } = picture
      const count = await store.countMessages(picture.id, 0, head, draft.by)
      // A reader who caught the picture up meanwhile may have learnt a newer count, or passed over it.
      const isNewest = picture.head === head && !picture.authored.has(draft.by)
      if (isNewest) picture.authored.set(draft.by, count)
    }
  }

  function place(picture: Picture, checked: Checked[]): Entry[] {
    // Time may step back; the log's time does not.
    const at = Math.max(clock.now(), picture.at)
    const authored = new Map<string, number>()
    let messages = picture.messages
    return checked.map(({ draft }, index) => {
      const seq = picture.head + 1 + index
      const isMessage = draft.kind === "message"
      const before = authored.get(draft.by) ?? picture.authored.get(draft.by) ?? 0
      const ofAuthor = before + (isMessage ? 1 : 0)
      authored.set(draft.by, ofAuthor)
      if (isMessage) messages += 1
      const members = isMessage ? picture.membersSeq : seq
      return { ...draft, conversation: picture.id, seq, at, tally: { messages, ofAuthor, members } }
    })
  }

  function acknowledge(picture: Picture, entry: Entry, waiting: Waiting) {
    // A reader may have found it in the log before its writer heard that it was stored.
    if (entry.seq > picture.head) fold(picture, entry)
    waiting.resolve(waiting.intent.result(picture, entry))
    return onStored(entry, picture, waiting.intent.cause)
  }

  return {
    append<T>(conversation: string, intent: Intent<T>) {
      return new Promise<T>((resolve, reject) => {
        const waiting = { intent, resolve, reject } as Waiting
        const lane = lanes.get(conversation)
        if (!lane) {
          const opened = [waiting]
          lanes.set(conversation, opened)
          void drain(conversation, opened)
        } else if (lane.length < MAX_WAITING) {
          lane.push(waiting)
        } else {
          reject(tooBusy())
        }
      })
    },
    waiting: () => [...lanes.values()].reduce((sum, lane) => sum + lane.length, 0),
  }
}

/** The waiting messages up to the next change of members, or that change alone. */
function nextBatch(lane: Waiting[]): Waiting[] {
  const change = lane.findIndex(({ intent }) => intent.changesMembers)
  const length = change === 0 ? 1 : change < 0 ? MAX_BATCH : Math.min(change, MAX_BATCH)
  return lane.splice(0, length)
}

const tooBusy = () =>
  new ParleyError("RATE_LIMITED", "This conversation is too busy just now.", {
    retryAfterMs: 1_000,
  })
