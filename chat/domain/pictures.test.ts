import { expect, test } from "bun:test"
import { partitionOf } from "@parley/service/partition.ts"
import { createInProcessExchange } from "../bus/in-process.ts"
import { openSqliteStore } from "../store/sqlite.ts"
import { createLog } from "../test/log-builder.ts"
import { createWorld, logOf, send } from "../test/world.ts"
import type { Entry } from "./entry.ts"
import { createPictures } from "./pictures.ts"

test("a node that has heard of a message stores the answer at the first try", async () => {
  const exchange = createInProcessExchange()
  const buses = [exchange.join(), exchange.join()]
  let appends = 0
  await using world = await createWorld(2, (store, node) => ({
    bus: buses[node]!,
    store: {
      ...store,
      append(...args: Parameters<typeof store.append>) {
        appends += 1
        return store.append(...args)
      },
    },
  }))
  const members = ["alice", "bob"]
  for (const [node, user] of members.entries()) {
    await buses[node]!.hold(partitionOf(user, buses[node]!.partitions))
  }
  const [here, there] = world.nodes
  const conversation = await here!.services.groups.create("alice", "Friends", ["bob"])
  await send(there!, "bob", conversation, "this node knows the group, too")

  appends = 0
  for (let i = 0; i < 10; i++) await send(i % 2 ? there! : here!, members[i % 2]!, conversation)
  expect(appends).toBe(10)
  expect((await logOf(world.store, conversation)).map(({ seq }) => seq)).toEqual(
    Array.from({ length: 12 }, (_, index) => index + 1),
  )
})

test("a node that was told of a message that nobody has stored stores the next one all the same", async () => {
  await using world = await createWorld()
  const [node] = world.nodes
  const conversation = await node!.services.groups.create("alice", "Friends", ["bob"])
  const log = createLog(conversation)
  log.founded("alice", ["bob"])
  const at = world.clock.now()
  const { pictures } = node!.services
  await pictures.get(conversation)
  pictures.follow({ ...log.message("bob"), at })
  expect(pictures.peek(conversation)?.head).toBe(2)

  const message = await send(node!, "alice", conversation, "the first")
  expect([message.seq, pictures.peek(conversation)?.head]).toEqual([2, 2])
})

test("only the next message is followed, and nothing that the log could not say", async () => {
  await using store = openSqliteStore(":memory:")
  const pictures = createPictures(store)
  const log = createLog("conversation")
  await store.append([log.founded("alice", ["bob"]), log.message("alice")])
  const picture = await pictures.get("conversation")
  const next = log.message("bob")
  const lies: Entry[] = [
    { ...next, seq: 4 },
    { ...next, seq: 2 },
    { ...next, by: "mallory" },
    { ...next, at: picture.at - 1 },
    { ...next, tally: { ...next.tally, messages: 7 } },
    { ...next, tally: { ...next.tally, members: 3 } },
    { ...createLog("conversation").changed("alice", { joined: ["mallory"] }), seq: 3 },
    { ...next, conversation: "another" },
  ]
  for (const lie of lies) pictures.follow(lie)
  expect(picture.head).toBe(2)
  pictures.follow(next)
  expect([picture.head, picture.messages, picture.authored.get("bob")]).toEqual([3, 2, 1])
})
