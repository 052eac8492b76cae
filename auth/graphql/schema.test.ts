import { describe, expect, test } from "bun:test"
import { createTurns } from "@parley/link/turns.ts"
import { answerTooLarge } from "@parley/link/work.ts"
import { createBatch } from "@parley/platform/batch.ts"
import { type GraphQLObjectType, graphql, isObjectType } from "graphql"
import { startParts } from "../test/parts.ts"
import { createInFlight } from "./in-flight.ts"
import { createOperations } from "./operation.ts"
import { resolvers } from "./resolvers.ts"
import { createAuthSchema } from "./schema.ts"

const nobody = {
  viewer: undefined,
  refreshToken: undefined,
  userAgent: "",
  address: "",
  cause: undefined,
  isWaitedFor: () => true,
  signal: new AbortController().signal,
  setCookies: [],
}

const turns = createTurns()
const work = () => turns.work({ bytes: 1_000_000, tooLarge: () => answerTooLarge(1_000_000) })

describe("the resolvers", () => {
  const schema = createAuthSchema(createInFlight())

  test("are all in the schema: what is not there would be ignored in silence", () => {
    for (const [name, fields] of Object.entries(resolvers)) {
      const type = schema.getType(name)
      expect(isObjectType(type)).toBeTrue()
      const known = Object.keys((type as GraphQLObjectType).getFields())
      for (const field of Object.keys(fields)) {
        if (field !== "__resolveReference") expect(known).toContain(field)
      }
    }
  })

  test("are there for every root field", () => {
    const own = (type: GraphQLObjectType | null | undefined) =>
      Object.keys(type?.getFields() ?? {})
        .filter((name) => !name.startsWith("_"))
        .sort()
    expect(Object.keys(resolvers.Query).sort()).toEqual(own(schema.getQueryType()))
    expect(Object.keys(resolvers.Mutation).sort()).toEqual(own(schema.getMutationType()))
  })

  test("ask for a login themselves, wherever the schema does not say that it is public", async () => {
    await using parts = await startParts()
    const context = createOperations(parts)
    for (const field of [
      "sessions { id }",
      'user(username: "alice") { id }',
      'users(search: "alice") { id }',
    ]) {
      const contextValue = context(nobody, work())
      const { errors } = await graphql({ schema, source: `{ ${field} }`, contextValue })
      expect(errors?.[0]?.originalError).toMatchObject({ code: "UNAUTHENTICATED" })
    }
    for (const field of [
      'revokeSession(id: "1")',
      'updateProfile(input: { name: "Alice" }) { id }',
      'changePassword(current: "present", new: "next")',
    ]) {
      const contextValue = context(nobody, work())
      const { errors } = await graphql({ schema, source: `mutation { ${field} }`, contextValue })
      expect(errors?.[0]?.originalError).toMatchObject({ code: "UNAUTHENTICATED" })
    }
  })
})

describe("looking users up", () => {
  test("costs one call of the store for all that are asked for in one tick", async () => {
    const calls: (readonly string[])[] = []
    await using parts = await startParts((store) => ({
      usersById(ids) {
        calls.push(ids)
        return store.usersById(ids)
      },
    }))
    const ids: string[] = []
    for (const username of ["alice", "bob", "carol"]) {
      const input = { username, password: "correct horse battery" }
      ids.push((await parts.accounts.signUp(input, nobody)).user)
    }
    calls.length = 0
    const schema = createAuthSchema(createInFlight())
    const context = createOperations(parts)
    const source =
      "query($of: [_Any!]!) { _entities(representations: $of) { ... on User { username } } }"
    const wanted = [ids[0], "unknown", ids[1], ids[2], ids[0], "__proto__"]
    const ask = () =>
      graphql({
        schema,
        source,
        contextValue: context(nobody, work()),
        variableValues: { of: wanted.map((id) => ({ __typename: "User", id })) },
      })
    // Two operations, as two frames of one read from the link.
    const [one, two] = await Promise.all([ask(), ask()])
    expect(one.errors).toBeUndefined()
    expect(one.data?._entities).toEqual([
      { username: "alice" },
      null,
      { username: "bob" },
      { username: "carol" },
      { username: "alice" },
      null,
    ])
    expect(two.data).toEqual(one.data)
    expect(calls).toHaveLength(1)
    expect([...calls[0]!].sort()).toEqual([...new Set(wanted)].sort() as string[])
  })

  test("fails for those who asked at that time, and not for later ones", async () => {
    let broken = true
    const load = async (ids: readonly string[]) => {
      if (broken) throw new Error("away")
      return new Map(ids.map((id) => [id, { id }]))
    }
    const find = createBatch(load, (id) => id)
    const both = await Promise.allSettled([find("alice"), find("bob")])
    expect(both.map(({ status }) => status)).toEqual(["rejected", "rejected"])
    broken = false
    expect(await find("alice")).toEqual({ id: "alice" })
  })
})
