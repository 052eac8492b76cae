import { chmodSync, mkdirSync } from "node:fs"
import { join } from "node:path"
import { ConfigError } from "@parley/platform/config.ts"
import { type Logger, silentLogger } from "@parley/platform/log.ts"
import type { ConversationState, Role } from "../domain/conversation-state.ts"
import type { Entry, MessageEntry, Origin } from "../domain/entry.ts"
import type { Nodes, OutboxPosition } from "./nodes.ts"
import type { People } from "./people.ts"
import type { UsageStore } from "./usage.ts"

/** One user's relation to one conversation, present or past, with how far they have got in its log. */
export interface Member {
  conversation: string
  user: string
  role: Role
  /** The first seq that they may see. */
  since: number
  joinedAt: number
  /** The last seq that they may see; null while they are a member. */
  until: number | null
  delivered: number
  read: number
}

/** A membership beside the state of its conversation's log. */
export interface MembershipView extends Member {
  /** The newest entry; where the membership has ended, that entry or one between it and the end of the membership. */
  head: number
  /** The time of that entry, in ms since the epoch. */
  headAt: number
}

/** How a conversation began. */
export interface Created {
  origin: Origin
  /** ms since the epoch. */
  createdAt: number
}

export interface Marks {
  delivered?: number
  read?: number
}

/** A range of seqs, both ends included, and how much of it is wanted. */
export interface Range {
  from: number
  to: number
  limit: number
  order: "oldest" | "newest"
  /** Bytes of texts after which it ends early: with the message that reaches them. */
  bytes?: number
}

/** A place in the list of a user's conversations, which is ordered by `at` and then by id, both descending. */
export interface ListPlace {
  /** The time of the conversation's newest entry, in ms since the epoch. */
  at: number
  id: string
}

/** A range of a user's memberships in the order of the conversations' ids. */
export interface KeyRange {
  /** The id after which it begins. */
  after: string
  limit: number
}

/**
 * Keeps the logs and the watermarks. Every method is one step that happens as a whole or not at all; what has resolved
 * is durable. An engine that cannot be reached rejects with UNAVAILABLE.
 */
export interface Store extends AsyncDisposable {
  /** Who shares this store; undefined for an engine that is one node's own. */
  readonly nodes?: Nodes
  /** Counts what people do. */
  readonly usage: UsageStore
  readonly people: People

  /**
   * Appends entries of one conversation, in order, and brings everything derived from them (members, heads) up to
   * date. Answers how many were stored: fewer than given where the next one's seq, or its message id, was taken.
   * A seq is never stored twice and never leaves a hole below it. Where the store is shared by nodes, the position says as
   * what the first of them is stored; the others have the numbers that follow.
   */
  append(entries: readonly Entry[], position?: OutboxPosition): Promise<number>

  /** The conversation's present state; a state with head 0 where there is no such conversation. */
  state(conversation: string): Promise<ConversationState>

  /** What never changes of a conversation; undefined where there is no such one. */
  origin(conversation: string): Promise<Created | undefined>

  /** The entry with that seq, if there is one. */
  entry(conversation: string, seq: number): Promise<Entry | undefined>

  /**
   * Entries with seq > after, oldest first. Where `bytes` is given, it ends early with the entry with which the texts
   * have so many.
   */
  entries(conversation: string, after: number, limit: number, bytes?: number): Promise<Entry[]>

  /**
   * The seq of the newest entry that was stored at or before a time, of those with floor < seq ≤ upTo; the floor where
   * there is none. It costs as much as there are newer ones.
   */
  seqAt(conversation: string, at: number, floor: number, upTo: number): Promise<number>

  /** Messages within a range of seqs, always in ascending order: the oldest or the newest of it. */
  messages(conversation: string, range: Range): Promise<MessageEntry[]>

  /** The messages with these ids, as far as they exist, in any order. */
  messagesById(ids: readonly string[]): Promise<MessageEntry[]>

  /** How many messages there are with after < seq ≤ upTo, where after ≤ upTo: all, or those by one author. */
  countMessages(conversation: string, after: number, upTo: number, by?: string): Promise<number>

  /** The distinct authors of messages with after < seq ≤ upTo. */
  authors(conversation: string, after: number, upTo: number): Promise<string[]>

  member(conversation: string, user: string): Promise<Member | undefined>

  /** Present members by user id, after a user id. */
  members(conversation: string, after: string, limit: number): Promise<Member[]>

  countMembers(conversation: string): Promise<number>

  /** Every membership of a user, present and past; or a range of them. */
  memberships(user: string, range?: KeyRange): Promise<MembershipView[]>

  /** A user's present memberships after a place in the list, the conversation with the newest entry first. */
  conversations(
    user: string,
    after: ListPlace | undefined,
    limit: number,
  ): Promise<MembershipView[]>

  /**
   * Moves watermarks forward; a mark that is not ahead changes nothing. Answers the member as it was before and as it
   * is now, or undefined where there is no such membership. Where it cannot tell which try moved a mark, the member was
   * at 0 before: being told of a receipt twice does no harm.
   */
  moveMarks(
    conversation: string,
    user: string,
    marks: Marks,
  ): Promise<{ before: Member; now: Member } | undefined>

  /** The two present members who are furthest behind, for each watermark. */
  lowestMarks(conversation: string): Promise<LowestMarks>

  /** Resolves when the engine answers. */
  ping(): Promise<void>

  /** Resolves once every write begun before has been answered. */
  settle(): Promise<void>
}

export interface LowestMarks {
  delivered: { user: string; seq: number }[]
  read: { user: string; seq: number }[]
}

/** Which engine, and where its data is. */
export interface StoreConfig {
  dataDir: string
  cluster?: { mongodbUrl: string }
}

/**
 * Opens the store that the configuration names: the one place that knows the engines.
 * @throws ConfigError where it cannot be used.
 */
export async function openStore(config: StoreConfig, log: Logger = silentLogger): Promise<Store> {
  if (config.cluster) {
    const { openMongoStore } = await import("./mongo/mongo.ts")
    return openMongoStore(config.cluster.mongodbUrl, log)
  }
  const folder = join(config.dataDir, "chat")
  try {
    mkdirSync(folder, { recursive: true })
    // All messages are in it: a folder that was made with another mode is closed to other users too.
    chmodSync(folder, 0o700)
  } catch (error) {
    throw new ConfigError(`${folder} cannot be made: ${(error as Error).message}.`)
  }
  const { openSqliteStore } = await import("./sqlite/sqlite.ts")
  return openSqliteStore(join(folder, "chat.sqlite"))
}
