import { ConfigError } from "@parley/platform/config.ts"
import { nameTerms } from "../../auth/domain/search.ts"
import type { Counter, NewUser, Session, Store } from "../../auth/store/store.ts"
import { digest } from "./digest.ts"
import { forEach } from "./each.ts"
import type { Source } from "./source.ts"

/** Copies accounts, login sessions and rate limits; what is there already stays, so it can be done again. */
export async function copyAccounts(source: Source, target: Store): Promise<void> {
  await forEach(source.users, async (id) => {
    if (!(await target.insertUser(await userIn(source.auth, id)))) {
      throw new ConfigError(`The user ${id} cannot be stored: another user has that name there.`)
    }
  })
  await forEach(source.sessions, async (id) => {
    if (!(await target.session(id))) await target.insertSession(await sessionIn(source.auth, id))
  })
  await forEach(source.counters, async (key) => {
    // Its version counts the writes that it has had there.
    await target.putCounter({ ...(await counterIn(source.auth, key)), version: 1 })
  })
}

/** Copies the keys that sign tokens, so that everyone stays signed in. */
export async function copyKeys(source: Source, target: Store): Promise<void> {
  if (!(await target.keys.load())) await target.keys.save({ ...source.keys, version: 1 })
}

/** Reads everything back. @throws ConfigError that names the first thing that is not as it was. */
export async function compareAccounts(source: Source, target: Store): Promise<void> {
  const same = async (what: string, read: (store: Store) => Promise<unknown>) => {
    const [before, after] = [digest([await read(source.auth)]), digest([await read(target)])]
    if (before !== after) throw new ConfigError(`${what} was not stored as it was.`)
  }
  await forEach(source.users, (id) =>
    same(`The user ${id}`, async (store) => [
      await store.usersById([id]),
      await store.credentialsById(id),
    ]),
  )
  await forEach(source.sessions, (id) => same(`The session ${id}`, (store) => store.session(id)))
  await forEach(source.counters, (key) =>
    same(`The counter ${key}`, async (store) => ({ ...(await store.counter(key)), version: 1 })),
  )
  await same("The signing keys", async (store) => ({ ...(await store.keys.load()), version: 1 }))
}

async function userIn(store: Store, id: string): Promise<NewUser> {
  const [[user], credentials] = [await store.usersById([id]), await store.credentialsById(id)]
  const { passwordHash } = credentials!
  return { ...user!, passwordHash, nameTerms: nameTerms(user!.name) }
}

const sessionIn = async (store: Store, id: string): Promise<Session> => (await store.session(id))!
const counterIn = async (store: Store, key: string): Promise<Counter> => (await store.counter(key))!
