import { ConfigError } from "@parley/platform/config.ts"
import { EVER, type Usage } from "../../chat/domain/usage.ts"
import type { Store } from "../../chat/store/store.ts"
import { digest } from "./digest.ts"
import { forEach } from "./each.ts"
import type { Source } from "./source.ts"

/** Copies what people have chosen, and how much they have done; it can be done again. */
export async function copyPeople(source: Source, target: Store): Promise<void> {
  await forEach(source.settings, async (user) => {
    const settings = (await source.chat.people.settings([user])).get(user)
    if (settings) await target.people.putSettings(user, settings)
  })
  await forEach(source.usage, async ({ user, day }) => {
    const [wanted, there] = [
      await source.chat.usage.of(user, day),
      await target.usage.of(user, day),
    ]
    const missing = Object.entries(wanted).map(([kind, sum]) => [
      kind,
      sum - there[kind as keyof Usage],
    ])
    await target.usage.add(user, day, Object.fromEntries(missing))
  })
}

/** Reads everything back. @throws ConfigError that names the first thing that is not as it was. */
export async function comparePeople(source: Source, target: Store): Promise<void> {
  const same = async (what: string, read: (store: Store) => Promise<unknown>) => {
    const [before, after] = [digest([await read(source.chat)]), digest([await read(target)])]
    if (before !== after) throw new ConfigError(`${what} was not stored as it was.`)
  }
  await forEach(source.settings, (user) =>
    same(`What the user ${user} has chosen`, (store) => store.people.settings([user])),
  )
  await forEach(source.usage, ({ user, day }) =>
    same(`What the user ${user} did ${day === EVER ? "in all" : `on day ${day}`}`, (store) =>
      store.usage.of(user, day),
    ),
  )
}
