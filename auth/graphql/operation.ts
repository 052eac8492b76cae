import type { Call } from "@parley/link/subgraph.ts"
import type { Work } from "@parley/link/work.ts"
import { createBatch } from "@parley/platform/batch.ts"
import { unauthenticated } from "@parley/platform/errors.ts"
import type { Viewer } from "@parley/platform/tokens.ts"
import type { AuthContext } from "../context.ts"
import type { User } from "../store/store.ts"

/** What the resolvers of one operation share. */
export interface Operation {
  call: Call
  auth: AuthContext
  /** What it costs, and when it is its person's turn. */
  work: Work
  /** Looks a user up together with all others that are asked for in the same tick. */
  user(id: string): Promise<User | undefined>
  /**
   * Who asks, checked against the store: auth knows at once when a session has ended.
   * @throws ParleyError UNAUTHENTICATED for a request without a login.
   */
  viewer(): Promise<Viewer>
}

/** Makes operations; the batch of look-ups is common to all that run in the same tick. */
export function createOperations(auth: AuthContext): (call: Call, work: Work) => Operation {
  const user = createBatch(
    async (ids: readonly string[]) => {
      const users = await auth.store.usersById(ids)
      return new Map(users.map((user) => [user.id, user]))
    },
    (id) => id,
  )
  return (call, work) => {
    let checked: Promise<Viewer> | undefined
    const check = async () => {
      if (!call.viewer) throw unauthenticated()
      await auth.sessions.mustBeLive(call.viewer)
      return call.viewer
    }
    return {
      call,
      auth,
      work,
      user,
      viewer() {
        checked ??= check()
        return checked
      },
    }
  }
}
