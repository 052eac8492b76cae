import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import fc from "fast-check"
import { createWorld, logOf, refusal, send, type World } from "../test/world.ts"

let world: World
beforeAll(async () => {
  world = await createWorld()
})
afterAll(() => world[Symbol.asyncDispose]())
const services = () => world.nodes[0]!.services
const newGroup = (...others: string[]) => services().groups.create("alice", "Friends", others)
const everything = { from: 1, to: 1e9, limit: 1e6, order: "oldest" } as const

describe("unread messages", () => {
  test("are counted as a reader with a finger on the log would count them", async () => {
    const users = ["alice", "bob", "carol"]
    const user = fc.constantFrom(...users)
    const step = fc.oneof(
      { weight: 5, arbitrary: fc.record({ kind: fc.constant("send" as const), user }) },
      {
        weight: 2,
        arbitrary: fc.record({
          kind: fc.constant("read" as const),
          user,
          part: fc.double({ min: 0, max: 1, noNaN: true }),
        }),
      },
      {
        weight: 1,
        arbitrary: fc.record({
          kind: fc.constant("come or go" as const),
          user: fc.constantFrom("bob", "carol"),
        }),
      },
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
        const conversation = await newGroup("bob")
        const { groups, receipts, reader } = services()
        const since: Record<string, number> = { alice: 1, bob: 1 }
        const read: Record<string, number> = { alice: 1, bob: 1 }
        let head = 1
        for (const step of steps) {
          const isMember = step.user in since
          if (step.kind === "come or go") {
            if (isMember) await groups.remove("alice", conversation, step.user)
            else await groups.add("alice", conversation, [step.user])
            head += 1
            if (isMember) delete since[step.user]
            else {
              since[step.user] = head
              read[step.user] = head
            }
          } else if (!isMember) continue
          else if (step.kind === "send") {
            await send(world.nodes[0]!, step.user, conversation)
            head += 1
          } else {
            const seq = Math.floor(step.part * head)
            await receipts.mark(step.user, conversation, "read", seq)
            read[step.user] = Math.max(read[step.user]!, seq)
          }
        }
        const log = await logOf(world.store, conversation)
        expect(log).toHaveLength(head)
        for (const user of Object.keys(since)) {
          const member = await reader.membership(user, conversation)
          const unread = log.filter(
            ({ kind, by, seq }) => kind === "message" && by !== user && seq > read[user]!,
          )
          expect(await reader.unread(member, head)).toBe(unread.length)
        }
      }),
      { numRuns: 60 },
    )
  })
})

describe("a member sees", () => {
  test("the log from their joining to their leaving, and nothing around it", async () => {
    const { groups, reader } = services()
    const conversation = await newGroup("carol")
    const before = await send(world.nodes[0]!, "alice", conversation, "before")
    await groups.add("alice", conversation, ["bob"])
    const during = await send(world.nodes[0]!, "alice", conversation, "during")

    const bob = await reader.membership("bob", conversation)
    expect((await reader.messages(bob, everything)).messages.map(({ text }) => text)).toEqual([
      "during",
    ])
    expect((await reader.log(bob, 0, 100)).map(({ seq }) => seq)).toEqual([3, 4])
    expect((await reader.log(bob, 3, 100)).map(({ seq }) => seq)).toEqual([4])
    expect((await reader.log(bob, 0, 1)).map(({ seq }) => seq)).toEqual([3])
    expect((await reader.messages(bob, { ...everything, to: 2 })).messages).toEqual([])
    expect(await reader.message("bob", during.id)).toEqual(during)
    const notFound = { code: "NOT_FOUND", message: "No such message." }
    expect(await refusal(reader.message("bob", before.id))).toMatchObject(notFound)
    expect(await refusal(reader.message("mallory", before.id))).toMatchObject(notFound)
    expect(await refusal(reader.message("bob", "nosuchmessage"))).toMatchObject(notFound)

    await groups.leave("bob", conversation)
    await send(world.nodes[0]!, "alice", conversation, "after")
    expect(await refusal(reader.membership("bob", conversation))).toMatchObject({
      code: "NOT_FOUND",
    })
    expect(await refusal(reader.message("bob", during.id))).toMatchObject(notFound)
    expect(await reader.conversations("bob", undefined, 100)).not.toContainEqual(
      expect.objectContaining({ conversation }),
    )
    // The leaving entry itself still reaches them, and is the last that does.
    const past = await reader.anyMembership("bob", conversation)
    expect((await reader.log(past!, 0, 100)).map(({ seq }) => seq)).toEqual([3, 4, 5])

    await groups.add("alice", conversation, ["bob"])
    const back = await reader.membership("bob", conversation)
    expect((await reader.log(back, 0, 100)).map(({ seq }) => seq)).toEqual([7])
    expect((await reader.messages(back, everything)).messages).toEqual([])
    expect(await refusal(reader.message("bob", during.id))).toMatchObject(notFound)
  })

  test("the same refusal for a conversation of others as for one that there is not", async () => {
    const conversation = await newGroup()
    const { reader } = services()
    const others = (await refusal(reader.membership("mallory", conversation))) as Error
    const none = (await refusal(reader.membership("mallory", "nowhere"))) as Error
    expect({ ...others, message: others.message }).toEqual({ ...none, message: none.message })
  })

  test("their conversations by newest entry", async () => {
    const { groups, reader } = services()
    const ids: string[] = []
    for (const title of ["a", "b", "c"]) {
      world.clock.time += 1000
      ids.push(await groups.create("erin", title, ["frank"]))
    }
    world.clock.time += 1000
    await send(world.nodes[0]!, "frank", ids[0]!)
    const list = await reader.conversations("erin", undefined, 100)
    expect(list.map(({ conversation }) => conversation)).toEqual([ids[0]!, ids[2]!, ids[1]!])
    expect(list[0]).toMatchObject({ head: 2, headAt: world.clock.time })
  })
})

describe("a message's status", () => {
  test("is what every other present member has got of it", async () => {
    const { groups, receipts, reader } = services()
    const conversation = await newGroup("bob", "carol")
    const message = await send(world.nodes[0]!, "bob", conversation)
    const status = () => reader.status(message)
    expect(await status()).toBe("SENT")
    await receipts.mark("alice", conversation, "read", 2)
    await receipts.mark("bob", conversation, "read", 2)
    expect(await status()).toBe("SENT")
    await receipts.mark("carol", conversation, "delivered", 2)
    expect(await status()).toBe("DELIVERED")
    await receipts.mark("carol", conversation, "read", 2)
    expect(await status()).toBe("READ")

    const next = await send(world.nodes[0]!, "bob", conversation)
    await receipts.mark("alice", conversation, "read", 3)
    expect(await reader.status(next)).toBe("SENT")
    await groups.remove("alice", conversation, "carol")
    expect(await reader.status(next)).toBe("READ")
    expect(await reader.status(message)).toBe("READ")
  })

  test("does not wait for its sender", async () => {
    const conversation = await services().groups.startDirect("gina", "hugo")
    const message = await send(world.nodes[0]!, "gina", conversation)
    await services().receipts.mark("hugo", conversation, "delivered", 2)
    expect(await services().reader.status(message)).toBe("DELIVERED")
  })
})

test("whoever is removed while they read sees nothing that came after", async () => {
  const conversation = await newGroup("bob")
  const { groups, reader } = services()
  const member = await reader.membership("bob", conversation)
  await groups.remove("alice", conversation, "bob")
  await send(world.nodes[0]!, "alice", conversation)
  expect((await reader.messages(member, everything)).messages).toEqual([])
  expect(await reader.lastMessage(member, 3)).toBeUndefined()
  expect((await reader.log(member, 0, 10)).map(({ seq }) => seq)).toEqual([1, 2])
})
