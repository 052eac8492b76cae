import type { Mongo } from "@parley/platform/mongo.ts"
import { COMMON_PER_QUERY, KEYS_AT_A_TIME } from "../../limits.ts"
import type { People } from "../people.ts"
import type { MemberDocument, SettingsDocument } from "./shapes.ts"

export function mongoPeople(mongo: Mongo): People {
  const members = mongo.collection<MemberDocument>("members")
  const settings = mongo.collection<SettingsDocument>("settings")

  async function conversationsOf(user: string): Promise<string[]> {
    const found = members
      .find({ user, until: null })
      .project<Pick<MemberDocument, "conversation">>({ _id: 0, conversation: 1 })
      .batchSize(KEYS_AT_A_TIME)
    return (await found.toArray()).map(({ conversation }) => conversation)
  }

  /** Those of these people who are in one of these conversations. MongoDB answers from the index of both, with each once. */
  async function presentIn(conversations: string[], users: string[]): Promise<string[]> {
    const found = await members
      .aggregate<{ _id: string }>([
        { $match: { user: { $in: users }, until: null, conversation: { $in: conversations } } },
        { $group: { _id: "$user" } },
      ])
      .toArray()
    return found.map(({ _id }) => _id)
  }

  return {
    settings: (users) =>
      mongo.run(async () => {
        if (users.length === 0) return new Map()
        const found = await settings.find({ _id: { $in: [...users] } }).toArray()
        return new Map(found.map(({ _id, mayAdd }) => [_id, { mayAdd }]))
      }),

    putSettings: (user, { mayAdd }) =>
      mongo.run(async () => {
        await settings.updateOne({ _id: user }, { $set: { mayAdd } }, { upsert: true })
      }),

    countConversations: (users, limit) =>
      mongo.run(async () => {
        const counts = new Map(users.map((user) => [user, 0]))
        const some = [...users]
        const found = await members
          .aggregate<{ _id: string; n: number }>([
            { $match: { user: { $in: some }, until: null } },
            { $group: { _id: "$user", n: { $sum: 1 } } },
          ])
          .toArray()
        for (const { _id, n } of found) counts.set(_id, Math.min(n, limit))
        return counts
      }),

    contacts: (user, others) =>
      mongo.run(async () => {
        const found = new Set<string>()
        if (others.length === 0) return found
        const own = await conversationsOf(user)
        let sought = [...others]
        for (let from = 0; from < own.length && sought.length > 0; from += COMMON_PER_QUERY) {
          const some = own.slice(from, from + COMMON_PER_QUERY)
          for (const other of await presentIn(some, sought)) found.add(other)
          sought = sought.filter((other) => !found.has(other))
        }
        return found
      }),
  }
}
