import type { Clock } from "@parley/platform/clock.ts"
import { badInput, notFound, ParleyError } from "@parley/platform/errors.ts"
import type { IdSource } from "@parley/platform/ids.ts"
import type { RequestContext } from "@parley/platform/request-context.ts"
import type { Directory } from "../directory.ts"
import { MAX_MEMBERS } from "../limits.ts"
import type { Store } from "../store/store.ts"
import type { Adding, Admission } from "./admission.ts"
import type { Allowance } from "./allowance.ts"
import type { Appender, Draft } from "./appender.ts"
import { checkClientId, checkId, checkTitle } from "./checks.ts"
import type { ConversationState } from "./conversation-state.ts"
import type { Entry, MembersEntry, Origin } from "./entry.ts"
import type { StateCache } from "./state-cache.ts"

export interface Groups {
  /** Gets or creates the one direct conversation of two users (or of one with themselves); answers its id. */
  startDirect(by: string, other: string, cause?: RequestContext): Promise<string>
  /**
   * Creates a group, its creator an admin; answers its id. With an id of the client's, a retry answers the same group.
   * @throws ParleyError CONFLICT where that id names another's conversation.
   */
  create(
    by: string,
    title: string,
    members: readonly string[],
    cause?: RequestContext,
    id?: string | null,
  ): Promise<string>
  /** Admins only. Who is a member already stays as they are. */
  add(
    by: string,
    conversation: string,
    users: readonly string[],
    cause?: RequestContext,
  ): Promise<void>
  /** Admins only, or the user themselves. */
  remove(by: string, conversation: string, user: string, cause?: RequestContext): Promise<void>
  /** The last admin's leaving makes the longest-standing member the next one. */
  leave(by: string, conversation: string, cause?: RequestContext): Promise<void>
}

export interface GroupsOptions {
  appender: Appender
  states: StateCache
  /** The first entry of a conversation says who began it. */
  store: Pick<Store, "entry">
  directory: Directory
  admission: Admission
  allowance: Pick<Allowance, "change">
  clock: Clock
  newId: IdSource
}

type Founders = Pick<MembersEntry, "joined" | "promoted">

/** Every rule is checked against the conversation as it is at the head of its log. */
export function createGroups(options: GroupsOptions): Groups {
  const { appender, states, store, directory, admission, allowance, clock, newId } = options

  /** What is being created by an id of a client's right now, by the creator and the id. */
  const underWay = new Map<string, Promise<string>>()

  /** Answers whether there was anything to change. */
  function change(
    by: string,
    conversation: string,
    cause: RequestContext | undefined,
    check: (state: ConversationState) => Draft | undefined,
  ): Promise<boolean> {
    const result = (_picture: ConversationState, entry: Entry | undefined) => entry !== undefined
    const intent = { by, bytes: 0, changesMembers: true, cause, check, result }
    return appender.append(conversation, intent)
  }

  const found = (
    id: string,
    by: string,
    origin: Origin,
    members: Founders,
    cause?: RequestContext,
  ) =>
    change(by, id, cause, (state) =>
      state.head > 0
        ? undefined
        : { kind: "members", by, ...members, left: [], demoted: [], created: origin },
    )

  /** Does what makes people members, if that is admitted. What is not done after all counts for nothing. */
  async function admitted(adding: Adding, act: () => Promise<boolean>): Promise<void> {
    const giveBack = await admission.admit(adding)
    let isDone: boolean | undefined
    try {
      isDone = await act()
    } catch (error) {
      // Where the store did not answer, it may be done all the same.
      if (error instanceof ParleyError && error.code !== "UNAVAILABLE") isDone = false
      throw error
    } finally {
      // A count that stays too high until tomorrow is no reason to fail.
      if (isDone === false) await giveBack().catch(() => {})
    }
  }

  /** @throws ParleyError CONFLICT where another has begun a conversation of that id. */
  async function isBegun(id: string, by: string): Promise<boolean> {
    const first = await store.entry(id, 1)
    if (first && first.by !== by) {
      throw new ParleyError("CONFLICT", "That id already names another conversation.")
    }
    return first !== undefined
  }

  /**
   * The state in which the user is an admin. Before it counts that they are not, or that one of these is a member
   * already, it is compared with the log.
   */
  async function pictureForAdmin(
    conversation: string,
    by: string,
    users: readonly string[],
  ): Promise<ConversationState> {
    const state = await states.get(conversation)
    const { members, heard, head } = state
    const isAdmin = members.get(by)?.role === "ADMIN"
    if (!isAdmin || heard > head || users.some((user) => members.has(user))) {
      await states.catchUp(state)
    }
    checkAdmin(state, by)
    return state
  }

  async function known(users: readonly string[], field: string): Promise<string[]> {
    const distinct = [...new Set(users.map((user) => checkId(user, field)))]
    if (distinct.length > MAX_MEMBERS) throw tooMany(field)
    if (!(await directory.allExist(distinct))) throw notFound("user")
    return distinct
  }

  async function createGroup(
    id: string,
    by: string,
    title: string,
    members: readonly string[],
    cause: RequestContext | undefined,
  ): Promise<string> {
    const users = await known(members, "members")
    const joined = [...new Set([by, ...users])]
    if (joined.length > MAX_MEMBERS) throw tooMany("members")
    const people = joined.filter((user) => user !== by)
    await admitted({ by, people, begins: "GROUP" }, () =>
      found(id, by, { kind: "GROUP", title }, { joined, promoted: [by] }, cause),
    )
    return id
  }

  /** The same, by an id of the client's: where the log has begun, it is the same group, or another's. */
  async function createOnce(...[id, by, ...rest]: Parameters<typeof createGroup>): Promise<string> {
    if (await isBegun(id, by)) return id
    await createGroup(id, by, ...rest)
    await isBegun(id, by)
    return id
  }

  return {
    async startDirect(by, other, cause) {
      checkId(other, "user")
      allowance.change(by)
      const id = directId(by, other)
      if ((await states.get(id)).head > 0) return id
      await known([other], "user")
      const joined = [...new Set([by, other])]
      const people = joined.filter((user) => user !== by)
      await admitted({ by, people, begins: "DIRECT" }, () =>
        found(id, by, { kind: "DIRECT", title: null }, { joined, promoted: [] }, cause),
      )
      return id
    },

    async create(by, title, members, cause, given) {
      const checkedTitle = checkTitle(title)
      const id = given == null ? newId() : checkClientId(given, "id", clock.now())
      allowance.change(by, members.length)
      if (given == null) return createGroup(id, by, checkedTitle, members, cause)
      // A retry that overtakes its original waits for it.
      const key = `${by} ${id}`
      const before = underWay.get(key)
      if (before) return before
      const created = createOnce(id, by, checkedTitle, members, cause)
      underWay.set(key, created)
      try {
        return await created
      } finally {
        underWay.delete(key)
      }
    },

    async add(by, conversation, users, cause) {
      checkId(conversation, "conversation")
      allowance.change(by, users.length)
      const wanted = await known(users, "users")
      const before = await pictureForAdmin(conversation, by, wanted)
      const people = wanted.filter((user) => !before.members.has(user))
      if (before.members.size + people.length > MAX_MEMBERS) throw tooMany("users")
      if (people.length === 0) return
      await admitted({ by, people }, () =>
        change(by, conversation, cause, (state) => {
          checkAdmin(state, by)
          const joined = people.filter((user) => !state.members.has(user))
          if (state.members.size + joined.length > MAX_MEMBERS) throw tooMany("users")
          if (joined.length === 0) return undefined
          return { kind: "members", by, joined, left: [], promoted: [], demoted: [] }
        }),
      )
    },

    async remove(by, conversation, user, cause) {
      checkId(conversation, "conversation")
      checkId(user, "user")
      allowance.change(by)
      await change(by, conversation, cause, (state) => {
        if (user === by) checkGroup(state, by)
        else checkAdmin(state, by)
        if (!state.members.has(user)) throw notFound("member")
        return departure(state, by, user)
      })
    },

    async leave(by, conversation, cause) {
      checkId(conversation, "conversation")
      allowance.change(by)
      await change(by, conversation, cause, (state) => {
        checkGroup(state, by)
        return departure(state, by, by)
      })
    },
  }
}

function departure(state: ConversationState, by: string, user: string): Draft {
  return {
    kind: "members",
    by,
    joined: [],
    left: [user],
    promoted: heirOf(state, user),
    demoted: [],
  }
}

/** A group is never without an admin: when the last one goes, the longest-standing member is promoted. */
function heirOf(state: ConversationState, leaving: string): string[] {
  const others = [...state.members].filter(([user]) => user !== leaving)
  if (others.length === 0 || others.some(([, member]) => member.role === "ADMIN")) return []
  const [heir] = others.reduce((oldest, next) => (next[1].since < oldest[1].since ? next : oldest))
  return [heir]
}

/** @throws ParleyError NOT_FOUND to a user who is no member: to them there is no such conversation. */
function checkMember(state: ConversationState, user: string): void {
  if (!state.members.has(user)) throw notFound("conversation")
}

function checkGroup(state: ConversationState, user: string): void {
  checkMember(state, user)
  if (state.origin?.kind !== "GROUP") {
    throw badInput("conversation", "The members of a direct conversation do not change.")
  }
}

function checkAdmin(state: ConversationState, user: string): void {
  checkGroup(state, user)
  if (state.members.get(user)?.role !== "ADMIN") {
    throw new ParleyError("FORBIDDEN", "Only an admin of the group may do that.")
  }
}

const tooMany = (field: string) => badInput(field, `A group has at most ${MAX_MEMBERS} members.`)

/**
 * The id of the one direct conversation of two users: the same whichever of the two starts it, on whichever node, so that seq 1
 * of its log is what makes it unique. A UUIDv8 (RFC 9562 §5.8) over both ids.
 */
function directId(one: string, other: string): string {
  const pair = [one, other].sort().join("\n")
  const hash = new Bun.CryptoHasher("sha256").update(`direct\n${pair}`).digest()
  hash[6] = (hash[6]! & 0x0f) | 0x80
  hash[8] = (hash[8]! & 0x3f) | 0x80
  const hex = hash.toString("hex")
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    hex.slice(12, 16),
    hex.slice(16, 20),
    hex.slice(20, 32),
  ].join("-")
}
