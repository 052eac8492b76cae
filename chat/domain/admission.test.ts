import { describe, expect, test } from "bun:test"
import type { WriteLimits } from "../config.ts"
import { MAX_CONVERSATIONS, WRITE_LIMITS } from "../limits.ts"
import { createLog, messageId } from "../test/log-builder.ts"
import { createWorld, refusal, type World } from "../test/world.ts"
import type { Adders } from "./settings.ts"
import { dayOf } from "./usage.ts"

const DAY_MS = 24 * 60 * 60 * 1000
const people = (count: number, name = "user") =>
  Array.from({ length: count }, (_, i) => `${name}${i}`)
const groupsOf = (world: World, node = 0) => world.nodes[node]!.services.groups
const settle = async (tries: Promise<unknown>[]) => {
  const outcomes = await Promise.allSettled(tries)
  return {
    done: outcomes.filter(({ status }) => status === "fulfilled").length,
    refusals: outcomes.flatMap((outcome) =>
      outcome.status === "rejected" ? [outcome.reason] : [],
    ),
  }
}
const cannotBeAdded = (...users: string[]) => ({
  ...{ code: "FORBIDDEN", message: "These people cannot be added.", details: { users } },
})
const limits = (given: Partial<WriteLimits>) => createWorld(2, undefined, given)

describe("who has chosen who may add them", () => {
  /** Alice knows Bob from a group, and Carol not. */
  async function acquainted(mayAdd: Adders | undefined) {
    const world = await createWorld(2)
    const common = await groupsOf(world).create("alice", "Common", ["bob"])
    const own = await groupsOf(world).create("alice", "Own", [])
    const { settings } = world.nodes[1]!.services
    if (mayAdd) for (const user of ["bob", "carol"]) await settings.update(user, { mayAdd })
    return { world, common, own }
  }
  const WAYS = {
    createGroup: (world: World, _own: string, user: string) =>
      groupsOf(world).create("alice", "More", [user]),
    addMembers: (world: World, own: string, user: string) =>
      groupsOf(world).add("alice", own, [user]),
    startDirect: (world: World, _own: string, user: string) =>
      groupsOf(world).startDirect("alice", user),
  }

  test.each(
    Object.keys(WAYS).flatMap((way) =>
      ([undefined, "EVERYONE", "CONTACTS", "NOBODY"] as const).map(
        (mayAdd) => [mayAdd, way as keyof typeof WAYS] as const,
      ),
    ),
  )("(%p) is asked by %s", async (mayAdd, way) => {
    const { world, own } = await acquainted(mayAdd)
    await using _ = world
    const act = (user: string) => WAYS[way](world, own, user)
    if (mayAdd === "NOBODY") {
      expect(await refusal(act("bob"))).toMatchObject(cannotBeAdded("bob"))
    } else await act("bob")
    if (mayAdd === "NOBODY" || mayAdd === "CONTACTS") {
      expect(await refusal(act("carol"))).toMatchObject(cannotBeAdded("carol"))
      expect(await world.store.memberships("carol")).toEqual([])
    } else await act("carol")
  })

  test("hears of nothing where one of many refuses, and the refusal names whom to leave out", async () => {
    const { world, own } = await acquainted("CONTACTS")
    await using _ = world
    const many = [...people(98), "bob", "carol"]
    for (const way of [
      groupsOf(world).create("alice", "Many", many),
      groupsOf(world).add("alice", own, many),
    ]) {
      expect(await refusal(way)).toMatchObject(cannotBeAdded("carol"))
    }
    expect(await world.store.memberships("user0")).toEqual([])
    await groupsOf(world).create("alice", "Many", many.slice(0, -1))
    expect(await world.store.memberships("user0")).toHaveLength(1)
  })

  test("is in no more conversations by leaving and being added again", async () => {
    const { world, common } = await acquainted("CONTACTS")
    await using _ = world
    await groupsOf(world, 1).leave("bob", common)
    expect(await refusal(groupsOf(world).add("alice", common, ["bob"]))).toMatchObject(
      cannotBeAdded("bob"),
    )
    // Whom Bob adds is still Bob's to say.
    const own = await groupsOf(world).create("bob", "Bob's own", ["alice"])
    expect(await world.store.countMembers(own)).toBe(2)
  })

  test("keeps the direct conversations that there are", async () => {
    await using world = await createWorld(2)
    const id = await groupsOf(world).startDirect("alice", "bob")
    await world.nodes[0]!.services.settings.update("bob", { mayAdd: "NOBODY" })
    expect(await groupsOf(world, 1).startDirect("alice", "bob")).toBe(id)
    expect(await groupsOf(world).startDirect("bob", "alice")).toBe(id)
    expect(await groupsOf(world).startDirect("bob", "bob")).toBeString()
    const group = await groupsOf(world).create("bob", "Bob's", ["alice"])
    // A member who is there already is not asked.
    await groupsOf(world).add("bob", group, ["alice", "carol"])
    expect(await world.store.countMembers(group)).toBe(3)
  })

  test("has chosen nothing at first, and what was chosen stays where nothing is given", async () => {
    await using world = await createWorld(2)
    const [one, other] = world.nodes.map(({ services }) => services.settings)
    expect(await one!.of("alice")).toEqual({ mayAdd: "EVERYONE" })
    expect(await one!.update("alice", { mayAdd: "NOBODY" })).toEqual({ mayAdd: "NOBODY" })
    expect(await other!.update("alice", { mayAdd: null })).toEqual({ mayAdd: "NOBODY" })
    expect(await other!.update("alice", {})).toEqual({ mayAdd: "NOBODY" })
    expect(await other!.of("alice")).toEqual({ mayAdd: "NOBODY" })
  })
})

describe("in a day a person makes and adds", () => {
  const until = (world: World) => DAY_MS - (world.clock.time % DAY_MS)

  test("so many groups: 4,100 with a stranger in them are refused from the hundredth on", async () => {
    const { GROUPS_PER_DAY } = WRITE_LIMITS
    await using world = await limits({ GROUPS_PER_DAY })
    world.clock.time += 1_000
    let done = 0
    const refusals: unknown[] = []
    for (let sent = 0; sent < 4_100; sent += 410) {
      const spam = Array.from({ length: 410 }, (_, i) =>
        groupsOf(world, i % 2).create("mallory", `Spam ${i}`, ["victim"]),
      )
      const outcomes = await settle(spam)
      done += outcomes.done
      refusals.push(...outcomes.refusals)
    }
    expect(done + refusals.length).toBe(4_100)
    expect(done).toBe(GROUPS_PER_DAY)
    const told = { code: "RATE_LIMITED", details: { retryAfterMs: until(world) } }
    for (const reason of refusals) expect(reason).toMatchObject(told)
    expect(await world.store.memberships("victim")).toHaveLength(GROUPS_PER_DAY)
    await groupsOf(world).create("alice", "Another's", ["victim"])
    world.clock.time += DAY_MS
    await groupsOf(world).create("mallory", "Tomorrow's", ["victim"])
  })

  test("so many groups in which the creator is alone", async () => {
    await using world = await limits({ GROUPS_PER_DAY: 7 })
    const own = Array.from({ length: 50 }, (_, i) =>
      groupsOf(world, i % 2).create("mallory", `${i}`, []),
    )
    expect((await settle(own)).done).toBe(7)
  })

  test("so many strangers, by whatever way, though concurrent and on two nodes", async () => {
    await using world = await limits({ STRANGERS_PER_DAY: 20 })
    const group = await groupsOf(world).create("mallory", "Group", [])
    const ways = Array.from({ length: 60 }, (_, i) => {
      const groups = groupsOf(world, i % 2)
      if (i % 3 === 0) return groups.startDirect("mallory", `one${i}`)
      if (i % 3 === 1) return groups.add("mallory", group, [`two${i}`])
      return groups.create("mallory", "More", [`three${i}`])
    })
    const { done } = await settle(ways)
    expect(done).toBe(20)
    const { strangers } = await world.store.usage.of("mallory", dayOf(world.clock.time))
    expect(strangers).toBe(20)
  })

  test("more contacts than strangers", async () => {
    await using world = await limits({ STRANGERS_PER_DAY: 3, ADDS_PER_DAY: 10 })
    await groupsOf(world).create("alice", "Friends", people(3))
    expect(await refusal(groupsOf(world).startDirect("alice", "another"))).toMatchObject({
      code: "RATE_LIMITED",
    })
    await groupsOf(world).create("alice", "Friends again", people(3))
    await groupsOf(world).create("alice", "And again", people(3))
    await groupsOf(world).startDirect("alice", "user0")
    expect(await refusal(groupsOf(world).startDirect("alice", "user1"))).toMatchObject({
      code: "RATE_LIMITED",
    })
  })

  test("once what is asked for twice at once", async () => {
    await using world = await limits({ GROUPS_PER_DAY: 2, ADDS_PER_DAY: 3 })
    const id = messageId(world.clock.time)
    const twice = [0, 1].map((node) =>
      groupsOf(world, node).create("alice", "Once", ["bob"], undefined, id),
    )
    expect(await Promise.all(twice)).toEqual([id, id])
    const direct = [0, 1].map((node) => groupsOf(world, node).startDirect("alice", "carol"))
    expect(new Set(await Promise.all(direct)).size).toBe(1)
    const { groups, adds } = await world.store.usage.of("alice", dayOf(world.clock.time))
    expect({ groups, adds }).toEqual({ groups: 1, adds: 2 })
  })

  test("nothing by what was refused", async () => {
    await using world = await limits({ STRANGERS_PER_DAY: 1, GROUPS_PER_DAY: 1 })
    const groups = groupsOf(world)
    for (let i = 0; i < 5; i++) {
      await refusal(groups.create("alice", "Title", ["user0", "user1"]))
      await refusal(groups.create("alice", "Title", ["Nobody"]))
      await refusal(groups.add("alice", "nowhere", ["user0"]))
    }
    const id = await groups.create("alice", "Title", ["user0"])
    await refusal(groups.add("user0", id, ["user1"]))
    await groups.startDirect("user0", "user1")
  })
})

test("a person is in at most so many conversations", async () => {
  await using world = await createWorld(1)
  // Past ones do not count.
  const founded = Array.from({ length: MAX_CONVERSATIONS }, () => {
    const log = createLog(`conversation-${messageId()}`)
    return [log, log.founded("eve", ["full"])] as const
  })
  await Promise.all(founded.map(([, entry]) => world.store.append([entry])))
  const groups = groupsOf(world)
  expect(await refusal(groups.create("full", "One more", []))).toMatchObject({ code: "FORBIDDEN" })
  expect(await refusal(groups.startDirect("full", "bob"))).toMatchObject({ code: "FORBIDDEN" })
  const refused = cannotBeAdded("full")
  expect(await refusal(groups.startDirect("bob", "full"))).toMatchObject(refused)
  expect(await refusal(groups.create("bob", "One more", ["carol", "full"]))).toMatchObject(refused)
  const [log] = founded[0]!
  await world.store.append([log.changed("eve", { left: ["full"] })])
  await groups.create("bob", "The last", ["full"])
  expect(await refusal(groups.create("full", "One more", []))).toMatchObject({ code: "FORBIDDEN" })
}, 60_000)

describe("where an operator sets nothing", () => {
  test.each([
    ["groups", 100],
    ["adds", 10_000],
    ["strangers", 1_024],
  ] as const)("%s are %d a day", async (kind, most) => {
    await using world = await createWorld(1, undefined, WRITE_LIMITS)
    await world.store.usage.add("alice", dayOf(world.clock.time), { [kind]: most - 1 })
    await groupsOf(world).create("alice", "The last", ["bob"])
    expect(await refusal(groupsOf(world).create("alice", "One more", ["carol"]))).toMatchObject({
      code: "RATE_LIMITED",
    })
  })
})

test("a refusal names at most a hundred people", async () => {
  await using world = await createWorld()
  const many = people(120)
  const { settings } = world.nodes[0]!.services
  for (const user of many) await settings.update(user, { mayAdd: "NOBODY" })
  expect(await refusal(groupsOf(world).create("alice", "Many", many))).toMatchObject(
    cannotBeAdded(...many.slice(0, 100)),
  )
})
