import { SECRET_HEADER } from "@parley/link/protocol.ts"
import { unavailable } from "@parley/platform/errors.ts"
import { failover } from "@parley/platform/failover.ts"
import { LruMap } from "@parley/platform/lru.ts"
import * as v from "valibot"
import { MAX_KNOWN_ACCOUNTS } from "./limits.ts"

/** Knows who has an account; auth does, and chat asks it. */
export interface Directory {
  /** True where every one of these users exists. @throws ParleyError UNAVAILABLE where auth cannot be asked. */
  allExist(users: readonly string[]): Promise<boolean>
}

const Answer = v.object({
  data: v.object({ _entities: v.array(v.nullable(v.object({ id: v.string() }))) }),
})

const QUERY =
  "query Users($of: [_Any!]!) { _entities(representations: $of) { ... on User { id } } }"
/** All of auth's processes together get so long to answer, in ms. */
const WITHIN = 5_000

/** Asks auth's entity resolver, in one request for all that are not known yet. */
export function createDirectory(options: {
  authUrls: readonly string[]
  secret: string
}): Directory {
  const ofAuth = failover(options.authUrls, WITHIN)
  // Accounts are never deleted, so who was there once need not be asked for again.
  const known = new LruMap<string, true>(MAX_KNOWN_ACCOUNTS)

  async function ask(users: readonly string[]): Promise<(string | undefined)[]> {
    try {
      return await ofAuth(async (url, signal) => {
        const response = await fetch(new URL("/graphql", url), {
          method: "POST",
          headers: { "content-type": "application/json", [SECRET_HEADER]: options.secret },
          body: JSON.stringify({
            query: QUERY,
            variables: { of: users.map((id) => ({ __typename: "User", id })) },
          }),
          signal,
        })
        const { data } = v.parse(Answer, await response.json())
        return data._entities.map((user) => user?.id)
      })
    } catch (error) {
      throw unavailable("The accounts cannot be read just now.", error)
    }
  }

  return {
    async allExist(users) {
      const unknown = users.filter((user) => !known.get(user))
      if (unknown.length === 0) return true
      const found = new Set(await ask(unknown))
      for (const user of unknown) if (found.has(user)) known.set(user, true)
      return unknown.every((user) => found.has(user))
    },
  }
}
