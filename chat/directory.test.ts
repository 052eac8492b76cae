import { afterAll, beforeEach, describe, expect, test } from "bun:test"
import { SECRET_HEADER } from "@parley/link/protocol.ts"
import { createDirectory } from "./directory.ts"
import { refusal } from "./test/world.ts"

const secret = "the link secret of a directory under test"
const accounts = new Set(["alice", "bob", "carol"])
let asked: string[][] = []
let secrets = new Set<string | null>()
let answer: (ids: string[]) => Response

const entities = (ids: string[]) =>
  Response.json({ data: { _entities: ids.map((id) => (accounts.has(id) ? { id } : null)) } })
const auth = Bun.serve({
  port: 0,
  async fetch(request) {
    const { variables } = (await request.json()) as { variables: { of: { id: string }[] } }
    const ids = variables.of.map(({ id }) => id)
    asked.push(ids)
    secrets.add(request.headers.get(SECRET_HEADER))
    return answer(ids)
  },
})
const authUrls = [`http://127.0.0.1:${auth.port}`]
afterAll(() => auth.stop(true))
beforeEach(() => {
  asked = []
  secrets = new Set()
  answer = entities
})
const unavailable = { code: "UNAVAILABLE" }

describe("the directory", () => {
  test("asks auth once for all whom it does not know yet, with the link secret", async () => {
    const directory = createDirectory({ authUrls, secret })
    expect(await directory.allExist(["alice", "bob"])).toBe(true)
    expect(await directory.allExist(["bob", "carol", "alice"])).toBe(true)
    expect(await directory.allExist(["alice"])).toBe(true)
    expect(await directory.allExist([])).toBe(true)
    expect(asked).toEqual([["alice", "bob"], ["carol"]])
    expect([...secrets]).toEqual([secret])
  })

  test("does not take anyone for missing who may have signed up since", async () => {
    const directory = createDirectory({ authUrls, secret })
    expect(await directory.allExist(["alice", "dave"])).toBe(false)
    accounts.add("dave")
    expect(await directory.allExist(["alice", "dave"])).toBe(true)
    expect(asked).toEqual([["alice", "dave"], ["dave"]])
    accounts.delete("dave")
  })

  test.each([
    ["fails", () => new Response("no", { status: 500 })],
    ["answers nonsense", () => new Response("<html>")],
    ["answers with errors", () => Response.json({ data: null, errors: [{ message: "no" }] })],
    [
      "answers with another shape",
      () => Response.json({ data: { _entities: [{ name: "alice" }] } }),
    ],
  ])("is UNAVAILABLE while auth %s, and remembers nothing of it", async (_what, broken) => {
    const directory = createDirectory({ authUrls, secret })
    answer = broken
    expect(await refusal(directory.allExist(["alice"]))).toMatchObject(unavailable)
    answer = entities
    expect(await directory.allExist(["alice"])).toBe(true)
  })

  test("asks another auth where one is not there", async () => {
    const directory = createDirectory({ authUrls: ["http://127.0.0.1:1", ...authUrls], secret })
    expect(await directory.allExist(["alice"])).toBe(true)
  })

  test("is UNAVAILABLE while auth is not there, but for those whom it knows", async () => {
    const directory = createDirectory({ authUrls: ["http://127.0.0.1:1"], secret })
    expect(await refusal(directory.allExist(["alice"]))).toMatchObject(unavailable)
  })
})

test("the directory knows 100,000 accounts, and asks again for one that it has forgotten", async () => {
  answer = (ids) => Response.json({ data: { _entities: ids.map((id) => ({ id })) } })
  const directory = createDirectory({ authUrls, secret })
  const many = Array.from({ length: 99_999 }, (_, i) => `user${i}`)
  await directory.allExist(["first"])
  await directory.allExist(many)
  asked = []
  await directory.allExist([many[0]!])
  expect(asked).toEqual([])
  await directory.allExist(["one more", "and another"])
  asked = []
  await directory.allExist(["first"])
  expect(asked).toEqual([["first"]])
})
