import type { Mongo } from "@parley/service/mongo.ts"
import { KEYS_AT_A_TIME } from "../limits.ts"
import type { MemberDocument, SettingsDocument } from "./mongo-shapes.ts"
import type { People } from "./people.ts"

export function mongoPeople(mongo: Mongo): People {
  const members = mongo.collection<MemberDocument>("members")
  const settings = mongo.collection<SettingsDocument>("settings")

  const present = (users: readonly string[], limit: number) =>
    members
      .find({ user: { $in: [...users] }, until: null })
      .project<Pick<MemberDocument, "conversation" | "user">>({ _id: 0, conversation: 1, user: 1 })
      .limit(limit)
      .batchSize(Math.min(limit, KEYS_AT_A_TIME))

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

    contacts: (user, others, limit) =>
      mongo.run(async () => {
        const found = new Set<string>()
        if (others.length === 0) return found
        const own = new Set<string>()
        for await (const { conversation } of present([user], limit)) own.add(conversation)
        if (own.size === 0) return found
        for await (const member of present(others, limit)) {
          if (own.has(member.conversation)) found.add(member.user)
        }
        return found
      }),
  }
}
