import { afterAll, beforeAll, expect, test } from "bun:test"
import { temporaryFolder } from "@parley/testing/folder.ts"
import { messageId } from "../test/log-builder.ts"
import { type Node, startNode } from "../test/node.ts"

const folder = temporaryFolder()
let node: Node
beforeAll(async () => {
  node = await startNode(folder.path)
})
afterAll(async () => {
  await node[Symbol.asyncDispose]()
  folder[Symbol.dispose]()
})

const UPDATE = "mutation ($to: Adders) { updateSettings(input: { mayAdd: $to }) { mayAdd } }"
const CREATE =
  'mutation ($id: ID, $of: [ID!]!) { createGroup(title: "T", members: $of, id: $id) { id } }'

test("the viewer's settings are read and changed, and are the viewer's alone", async () => {
  expect((await node.ask("alice", "{ settings { mayAdd } }")).data).toEqual({
    settings: { mayAdd: "EVERYONE" },
  })
  expect((await node.ask("alice", UPDATE, { to: "CONTACTS" })).data).toEqual({
    updateSettings: { mayAdd: "CONTACTS" },
  })
  expect((await node.ask("alice", UPDATE, {})).data).toEqual({
    updateSettings: { mayAdd: "CONTACTS" },
  })
  expect((await node.ask("bob", "{ settings { mayAdd } }")).data).toEqual({
    settings: { mayAdd: "EVERYONE" },
  })
  const [error] = (await node.ask("alice", UPDATE, { to: "FRIENDS" })).errors!
  expect(error!.extensions.code).toBe("BAD_INPUT")
})

test("who cannot be added is FORBIDDEN in words that do not say why", async () => {
  await node.ask("carol", UPDATE, { to: "NOBODY" })
  const { errors } = await node.ask("alice", CREATE, { of: ["bob", "carol"] })
  expect(errors).toMatchObject([
    {
      message: "These people cannot be added.",
      extensions: { code: "FORBIDDEN", retryable: false, users: ["carol"] },
    },
  ])
})

test("a group that is created again by the client's id is the same group", async () => {
  const id = messageId()
  for (const _ of "12") {
    expect((await node.ask("alice", CREATE, { id, of: ["bob"] })).data).toEqual({
      createGroup: { id },
    })
  }
  const { errors } = await node.ask("bob", CREATE, { id, of: [] })
  expect(errors![0]!.extensions.code).toBe("CONFLICT")
})
