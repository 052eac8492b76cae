import { aLocalStorage, until } from "./testing.ts"
import "fake-indexeddb/auto"
import { afterAll, beforeAll, expect, test } from "bun:test"
import { createDrafts } from "./drafts.ts"
import { openDeviceDb } from "./outbox-db.ts"
import { beforeLeaving, belongTo, rememberAccount, renewSessionAnew } from "./session.ts"
import { createWriteAhead } from "./write-ahead.ts"

/** What a browser has and Bun has not, and a gateway that renews Bob's session. */
const before = { fetch, location: globalThis.location, localStorage: globalThis.localStorage }
const gone: string[] = []
beforeAll(() => {
  const location = { pathname: "/c/c1", assign: (to: string) => void gone.push(to) }
  const answer = async () => Response.json({ data: { refreshSession: { id: "bob" } } })
  Object.assign(globalThis, { location, fetch: answer, localStorage: aLocalStorage() })
})
afterAll(() => void Object.assign(globalThis, before))

const aLetter = { id: "m1", conversation: "c1", text: "Hi", createdAt: 1 }

test("who signs in finds nothing of the person before, and all of their own", async () => {
  for (const user of ["alice", "bob"]) {
    createWriteAhead(user).keep(aLetter)
    createDrafts(user).keep("c1", "Begun")
    const db = await openDeviceDb(user)
    await db.outbox.put(aLetter)
    db.close()
  }
  await rememberAccount("alice")
  expect(createWriteAhead("bob").all().length).toBe(1)
  await rememberAccount("bob")
  expect(createWriteAhead("alice").all()).toEqual([])
  expect(createDrafts("alice").of("c1")).toBe("")
  expect(createDrafts("bob").of("c1")).toBe("Begun")
  expect(createWriteAhead("bob").all().length).toBe(1)
  const names = (await indexedDB.databases()).map(({ name }) => name)
  expect(names).toContain("parley-bob")
  expect(names).not.toContain("parley-alice")
})

test("a session that is renewed as another person's takes the page along, erased, and says nothing more", async () => {
  let erased = false
  const end = belongTo("alice")
  const forget = beforeLeaving(async () => {
    erased = true
  })
  localStorage.setItem("parley.account", "bob")
  let renewal: unknown
  void renewSessionAnew().then((renewed) => {
    renewal = renewed
  })
  await until(() => gone.length > 0)
  expect({ gone, erased, renewal }).toEqual({ gone: ["/"], erased: true, renewal: undefined })
  expect(localStorage.getItem("parley.account")).toBe("bob")
  forget()
  end()
})
