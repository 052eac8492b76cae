import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { MAX_MEMBERS } from "../limits.ts"
import { messageId } from "../test/log-builder.ts"
import { createWorld, logOf, refusal, send, type World } from "../test/world.ts"

let world: World
beforeAll(async () => {
  world = await createWorld(2)
})
afterAll(() => world[Symbol.asyncDispose]())

const groups = (node = 0) => world.nodes[node]!.services.groups
const members = async (conversation: string) =>
  Object.fromEntries(
    (await world.store.members(conversation, "", MAX_MEMBERS)).map(({ user, role }) => [
      user,
      role,
    ]),
  )
const newGroup = (...others: string[]) => groups().create("alice", "Friends", others)
const code = (code: string, field?: string) => ({ code, ...(field && { details: { field } }) })

describe("a group", () => {
  test("begins with its creator as its admin and everyone named a member, each once", async () => {
    const id = await newGroup("bob", "carol", "bob", "alice")
    expect(await members(id)).toEqual({ alice: "ADMIN", bob: "MEMBER", carol: "MEMBER" })
    expect(await logOf(world.store, id)).toEqual([
      expect.objectContaining({
        ...{ seq: 1, kind: "members", by: "alice", joined: ["alice", "bob", "carol"], left: [] },
        ...{ promoted: ["alice"], demoted: [], created: { kind: "GROUP", title: "Friends" } },
      }),
    ])
  })

  test("may have its creator alone", async () => {
    expect(await members(await newGroup())).toEqual({ alice: "ADMIN" })
  })

  test("that is made again by the same id and creator is the same; another's is CONFLICT", async () => {
    const id = messageId(world.clock.time)
    const create = (node: number, by: string, title = "Friends") =>
      groups(node).create(by, title, ["bob"], undefined, id)
    const made = Array.from({ length: 6 }, (_, i) => create(i % 2, "alice"))
    expect(await Promise.all(made)).toEqual(Array(6).fill(id))
    expect(await create(1, "alice", "After a while")).toBe(id)
    expect(await logOf(world.store, id)).toHaveLength(1)
    for (const node of [0, 1]) {
      expect(await refusal(create(node, "mallory"))).toMatchObject(code("CONFLICT"))
    }
    // A member is no creator.
    expect(await refusal(create(0, "bob"))).toMatchObject(code("CONFLICT"))
    expect(await members(id)).toEqual({ alice: "ADMIN", bob: "MEMBER" })
  })

  test("has no id that a client did not make as it should", async () => {
    const create = (id: string) => groups().create("alice", "Friends", [], undefined, id)
    const direct = await groups().startDirect("alice", "bob")
    const ahead = messageId(world.clock.time + 25 * 60 * 60 * 1000)
    for (const id of ["", "group", crypto.randomUUID(), direct, ahead]) {
      expect(await refusal(create(id))).toMatchObject(code("BAD_INPUT", "id"))
    }
  })

  test("made twice at once by one id has one creator", async () => {
    const id = messageId(world.clock.time)
    const tries = ["alice", "mallory"].map((by, node) =>
      groups(node).create(by, "Mine", [], undefined, id),
    )
    const outcomes = await Promise.allSettled(tries)
    expect(outcomes.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"])
    expect(await logOf(world.store, id)).toHaveLength(1)
  })

  test("is refused with a title that is none, a user who is none, an id that is none", async () => {
    expect(await refusal(groups().create("alice", " ", []))).toMatchObject(
      code("BAD_INPUT", "title"),
    )
    expect(await refusal(newGroup("Nobody"))).toMatchObject(code("NOT_FOUND"))
    expect(await refusal(newGroup("no body"))).toMatchObject(code("BAD_INPUT", "members"))
  })

  test(`has at most ${MAX_MEMBERS} members`, async () => {
    const many = Array.from({ length: MAX_MEMBERS }, (_, i) => `member${i}`)
    expect(await refusal(newGroup(...many))).toMatchObject(code("BAD_INPUT", "members"))
    expect(await refusal(newGroup(...many, "onemore"))).toMatchObject(code("BAD_INPUT", "members"))
    const id = await newGroup(...many.slice(2))
    await groups().add("alice", id, ["member0"])
    expect(await world.store.countMembers(id)).toBe(MAX_MEMBERS)
    expect(await refusal(groups().add("alice", id, ["member1"]))).toMatchObject(
      code("BAD_INPUT", "users"),
    )
    await groups().add("alice", id, ["member0", "member5"])
    expect(await world.store.countMembers(id)).toBe(MAX_MEMBERS)
  })
})

describe("members", () => {
  test("are added by admins only, and who is one already stays as they are", async () => {
    const id = await newGroup("bob")
    await groups().add("alice", id, ["bob", "carol", "alice"])
    expect(await members(id)).toEqual({ alice: "ADMIN", bob: "MEMBER", carol: "MEMBER" })
    expect(await world.store.member(id, "bob")).toMatchObject({ since: 1 })
    expect((await logOf(world.store, id)).at(-1)).toMatchObject({ seq: 2, joined: ["carol"] })

    await groups().add("alice", id, ["bob", "carol"])
    expect(await logOf(world.store, id)).toHaveLength(2)
    expect(await refusal(groups().add("bob", id, ["dave"]))).toMatchObject(code("FORBIDDEN"))
    expect(await refusal(groups().add("alice", id, ["Nobody"]))).toMatchObject(code("NOT_FOUND"))
    expect(await logOf(world.store, id)).toHaveLength(2)
  })

  test("are removed by admins, or leave by themselves", async () => {
    const id = await newGroup("bob", "carol", "dave")
    expect(await refusal(groups().remove("bob", id, "carol"))).toMatchObject(code("FORBIDDEN"))
    await groups().remove("alice", id, "bob")
    await groups().remove("carol", id, "carol")
    await groups().leave("dave", id)
    expect(await members(id)).toEqual({ alice: "ADMIN" })
    expect((await logOf(world.store, id)).slice(1)).toMatchObject([
      { by: "alice", left: ["bob"], promoted: [] },
      { by: "carol", left: ["carol"], promoted: [] },
      { by: "dave", left: ["dave"], promoted: [] },
    ])
    expect(await refusal(groups().remove("alice", id, "bob"))).toMatchObject(code("NOT_FOUND"))
  })

  test("who are none find no conversation, as if there were none", async () => {
    const id = await newGroup("bob")
    await groups().leave("bob", id)
    for (const stranger of ["mallory", "bob"]) {
      const attempts = [
        groups().add(stranger, id, [stranger]),
        groups().remove(stranger, id, "alice"),
        groups().leave(stranger, id),
        groups().leave(stranger, "nowhere"),
        send(world.nodes[0]!, stranger, id),
        send(world.nodes[0]!, stranger, "nowhere"),
      ]
      for (const attempt of attempts) {
        expect(await refusal(attempt)).toMatchObject({
          ...{ code: "NOT_FOUND", message: "No such conversation.", details: {} },
        })
      }
    }
    expect(await members(id)).toEqual({ alice: "ADMIN" })
  })

  test("who join again see from then on, and are no admins any more", async () => {
    const id = await newGroup("bob")
    await groups().leave("alice", id)
    await send(world.nodes[0]!, "bob", id, "while Alice is away")
    await groups().add("bob", id, ["alice"])
    expect(await members(id)).toEqual({ alice: "MEMBER", bob: "ADMIN" })
    expect(await world.store.member(id, "alice")).toMatchObject({ since: 4, until: null })
  })
})

describe("the last admin", () => {
  test("who leaves makes the longest-standing member the next one, in the same entry", async () => {
    const id = await newGroup("carol")
    await groups().add("alice", id, ["bob"])
    await groups().leave("alice", id)
    expect((await logOf(world.store, id)).at(-1)).toMatchObject({
      left: ["alice"],
      promoted: ["carol"],
    })
    expect(await members(id)).toEqual({ bob: "MEMBER", carol: "ADMIN" })
    await groups().remove("carol", id, "carol")
    expect(await members(id)).toEqual({ bob: "ADMIN" })
  })

  test("who is also the last member leaves an empty group", async () => {
    const id = await newGroup()
    await groups().leave("alice", id)
    expect(await members(id)).toEqual({})
    expect(await refusal(groups().add("alice", id, ["alice"]))).toMatchObject(code("NOT_FOUND"))
  })

  test("is one of several who leave at once, on two nodes, and the group still has an admin", async () => {
    for (let round = 0; round < 30; round++) {
      const id = await newGroup("bob", "carol", "dave")
      await Promise.all([
        groups(0).leave("alice", id),
        groups(1).leave("bob", id),
        groups(0).leave("carol", id),
      ])
      expect(await members(id)).toEqual({ dave: "ADMIN" })
    }
  })
})

describe("a direct conversation", () => {
  const origin = { kind: "DIRECT", title: null }

  test("is one, whoever starts it, wherever, and however often at once", async () => {
    const ids = await Promise.all([
      groups(0).startDirect("alice", "bob"),
      groups(1).startDirect("bob", "alice"),
      groups(1).startDirect("alice", "bob"),
      groups(0).startDirect("bob", "alice"),
    ])
    expect(new Set(ids).size).toBe(1)
    const [first, ...more] = await logOf(world.store, ids[0])
    expect(more).toEqual([])
    expect(first).toMatchObject({ seq: 1, created: origin, promoted: [] })
    expect(await members(ids[0])).toEqual({ alice: "MEMBER", bob: "MEMBER" })
    expect(await groups(0).startDirect("alice", "carol")).not.toBe(ids[0])
  })

  test("with oneself has one member", async () => {
    const id = await groups().startDirect("alice", "alice")
    expect(await members(id)).toEqual({ alice: "MEMBER" })
    expect(await send(world.nodes[0]!, "alice", id, "a note")).toMatchObject({ seq: 2 })
    expect(await groups(1).startDirect("alice", "alice")).toBe(id)
  })

  test("with nobody there is none", async () => {
    expect(await refusal(groups().startDirect("alice", "Nobody"))).toMatchObject(code("NOT_FOUND"))
    expect(await refusal(groups().startDirect("alice", "no body"))).toMatchObject(
      code("BAD_INPUT", "user"),
    )
  })

  test("does not change its members", async () => {
    const id = await groups().startDirect("alice", "erin")
    const attempts = [
      groups().add("alice", id, ["carol"]),
      groups().remove("alice", id, "erin"),
      groups().remove("alice", id, "alice"),
      groups().leave("alice", id),
    ]
    for (const attempt of attempts) {
      expect(await refusal(attempt)).toMatchObject(code("BAD_INPUT", "conversation"))
    }
    expect(await members(id)).toEqual({ alice: "MEMBER", erin: "MEMBER" })
    expect(await refusal(groups().add("mallory", id, ["mallory"]))).toMatchObject(code("NOT_FOUND"))
  })
})

describe("a rule is checked against the log, not against what a node remembers", () => {
  test("a user added on one node may write on the other at once", async () => {
    const id = await newGroup("bob")
    await send(world.nodes[1]!, "bob", id, "node 1 knows the group")
    await groups(0).add("alice", id, ["carol"])
    expect(await send(world.nodes[1]!, "carol", id)).toMatchObject({ seq: 4 })
  })

  test("a user removed on one node may not write on the other any more", async () => {
    const id = await newGroup("bob")
    await send(world.nodes[1]!, "bob", id, "node 1 knows the group")
    await groups(0).remove("alice", id, "bob")
    expect(await refusal(send(world.nodes[1]!, "bob", id))).toMatchObject(code("NOT_FOUND"))
  })

  test("an admin made on one node is one on the other at once, and whoever left can be added", async () => {
    const id = await newGroup("bob", "carol")
    await send(world.nodes[1]!, "bob", id, "node 1 knows the group")
    await groups(0).leave("carol", id)
    await groups(0).leave("alice", id)
    await groups(1).add("bob", id, ["carol"])
    expect(await members(id)).toEqual({ bob: "ADMIN", carol: "MEMBER" })
    await groups(0).remove("bob", id, "carol")
    await groups(1).add("bob", id, ["carol"])
    expect(await members(id)).toEqual({ bob: "ADMIN", carol: "MEMBER" })
  })
})
