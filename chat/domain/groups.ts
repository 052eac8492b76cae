import type { Cause } from "@parley/service/cause.ts"
import { badInput, notFound, ParleyError } from "@parley/service/errors.ts"
import type { IdSource } from "@parley/service/ids.ts"
import type { Directory } from "../directory.ts"
import type { Appender, Draft } from "./appender.ts"
import { MAX_MEMBERS } from "../limits.ts"
import { checkId, checkTitle } from "./checks.ts"
import type { MembersEntry, Origin } from "./entry.ts"
import type { Picture } from "./picture.ts"

export interface Groups {
  /** Gets or creates the one direct conversation of two users (or of one with themselves); answers its id. */
  startDirect(by: string, other: string, cause?: Cause): Promise<string>
  /** Creates a group, its creator an admin; answers its id. */
  create(by: string, title: string, members: readonly string[], cause?: Cause): Promise<string>
  /** Admins only. Who is a member already stays as they are. */
  add(by: string, conversation: string, users: readonly string[], cause?: Cause): Promise<void>
  /** Admins only, or the user themselves. */
  remove(by: string, conversation: string, user: string, cause?: Cause): Promise<void>
  /** The last admin's leaving makes the longest-standing member the next one. */
  leave(by: string, conversation: string, cause?: Cause): Promise<void>
}

export interface GroupsOptions {
  appender: Appender
  directory: Directory
  newId: IdSource
}

type Founders = Pick<MembersEntry, "joined" | "promoted">

/** Whoever breaks a rule hears of it here; every check runs against the conversation as it is at the head of its log. */
export function createGroups({ appender, directory, newId }: GroupsOptions): Groups {
  async function change(
    conversation: string,
    cause: Cause | undefined,
    check: (picture: Picture) => Draft | undefined,
  ) {
    const result = () => undefined
    await appender.append(conversation, { changesMembers: true, cause, check, result })
  }

  const found = (id: string, by: string, origin: Origin, members: Founders, cause?: Cause) =>
    change(id, cause, (picture) =>
      picture.head > 0
        ? undefined
        : { kind: "members", by, ...members, left: [], demoted: [], created: origin },
    )

  async function known(users: readonly string[], field: string): Promise<string[]> {
    const distinct = [...new Set(users.map((user) => checkId(user, field)))]
    if (distinct.length > MAX_MEMBERS) throw tooMany(field)
    if (!(await directory.allExist(distinct))) throw notFound("user")
    return distinct
  }

  return {
    async startDirect(by, other, cause) {
      const [user] = await known([other], "user")
      const id = directId(by, user!)
      const joined = [...new Set([by, user!])]
      await found(id, by, { kind: "DIRECT", title: null }, { joined, promoted: [] }, cause)
      return id
    },

    async create(by, title, members, cause) {
      const checkedTitle = checkTitle(title)
      const users = await known(members, "members")
      const joined = [...new Set([by, ...users])]
      if (joined.length > MAX_MEMBERS) throw tooMany("members")
      const id = newId()
      await found(id, by, { kind: "GROUP", title: checkedTitle }, { joined, promoted: [by] }, cause)
      return id
    },

    async add(by, conversation, users, cause) {
      checkId(conversation, "conversation")
      const wanted = await known(users, "users")
      await change(conversation, cause, (picture) => {
        checkAdmin(picture, by)
        const joined = wanted.filter((user) => !picture.members.has(user))
        if (picture.members.size + joined.length > MAX_MEMBERS) throw tooMany("users")
        if (joined.length === 0) return undefined
        return { kind: "members", by, joined, left: [], promoted: [], demoted: [] }
      })
    },

    async remove(by, conversation, user, cause) {
      checkId(conversation, "conversation")
      checkId(user, "user")
      await change(conversation, cause, (picture) => {
        if (user === by) checkGroup(picture, by)
        else checkAdmin(picture, by)
        if (!picture.members.has(user)) throw notFound("member")
        return departure(picture, by, user)
      })
    },

    async leave(by, conversation, cause) {
      checkId(conversation, "conversation")
      await change(conversation, cause, (picture) => {
        checkGroup(picture, by)
        return departure(picture, by, by)
      })
    },
  }
}

function departure(picture: Picture, by: string, user: string): Draft {
  return {
    kind: "members",
    by,
    joined: [],
    left: [user],
    promoted: heirOf(picture, user),
    demoted: [],
  }
}

/** A group is never without an admin: when the last one goes, the longest-standing member is promoted. */
function heirOf(picture: Picture, leaving: string): string[] {
  const others = [...picture.members].filter(([user]) => user !== leaving)
  if (others.length === 0 || others.some(([, member]) => member.role === "ADMIN")) return []
  const [heir] = others.reduce((oldest, next) => (next[1].since < oldest[1].since ? next : oldest))
  return [heir]
}

/** @throws ParleyError NOT_FOUND to whoever is no member: to them there is no such conversation. */
function checkMember(picture: Picture, user: string): void {
  if (!picture.members.has(user)) throw notFound("conversation")
}

function checkGroup(picture: Picture, user: string): void {
  checkMember(picture, user)
  if (picture.origin?.kind !== "GROUP") {
    throw badInput("conversation", "The members of a direct conversation do not change.")
  }
}

function checkAdmin(picture: Picture, user: string): void {
  checkGroup(picture, user)
  if (picture.members.get(user)?.role !== "ADMIN") {
    throw new ParleyError("FORBIDDEN", "Only an admin of the group may do that.")
  }
}

const tooMany = (field: string) => badInput(field, `A group has at most ${MAX_MEMBERS} members.`)

/**
 * The id of the one direct conversation of two users: the same whoever starts it and on whichever node, so that seq 1
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
