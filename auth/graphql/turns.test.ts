import { expect, test } from "bun:test"
import type { Call } from "@parley/link/subgraph.ts"
import type { Work } from "@parley/link/work.ts"
import { execute, parse } from "graphql"
import { startParts } from "../test/parts.ts"
import { createInFlight } from "./in-flight.ts"
import { createOperations } from "./operation.ts"
import { createAuthSchema } from "./schema.ts"

const origin = { address: "203.0.113.7", userAgent: "" }

test.each([
  ["search", '{ a: users(search: "a") { id } b: users(search: "b") { id } }'],
  ["look at the sessions", "{ a: sessions { id } b: sessions { id } }"],
  ["mutation", 'mutation { a: updateProfile(input: { about: "a" }) { id } b: signOut }'],
])("a %s waits for its person's turn, each one of an operation", async (_what, text) => {
  let asked = 0
  let done = 0
  const counted =
    <A extends unknown[], R>(operation: (...args: A) => Promise<R>) =>
    (...args: A) => {
      done += 1
      return operation(...args)
    }
  await using parts = await startParts((store) => ({
    usersByUsernamePrefix: counted(store.usersByUsernamePrefix),
    liveSessions: counted(store.liveSessions),
    updateProfile: counted(store.updateProfile),
    endSession: counted(store.endSession),
  }))
  const input = { username: "alice", password: "correct horse battery staple" }
  const { user, session } = await parts.accounts.signUp(input, origin)
  done = 0
  // The first goes on at once; the others never get their turn.
  const first = Promise.withResolvers<void>()
  const work = {
    turn() {
      asked += 1
      if (asked > 1) first.resolve()
      return asked > 1 ? new Promise<never>(() => {}) : undefined
    },
  } as Work
  const viewer = { user, session, expiresAt: Number.POSITIVE_INFINITY }
  const call = { ...origin, viewer, setCookies: [] } as unknown as Call
  const contextValue = createOperations(parts)(call, work)
  const schema = createAuthSchema(createInFlight())
  void execute({ schema, document: parse(text), contextValue })
  await first.promise
  await new Promise(setImmediate)
  expect(done).toBe(1)
})
