import { afterAll, beforeEach, expect, setSystemTime, test } from "bun:test"
import { DRAFT_CHARACTERS, DRAFTS } from "../limits.ts"
import { createDrafts, eraseDrafts } from "./drafts.ts"
import { aLocalStorage } from "./testing.ts"

const before = globalThis.localStorage
beforeEach(() => void Object.assign(globalThis, { localStorage: aLocalStorage() }))
afterAll(() => {
  setSystemTime()
  Object.assign(globalThis, { localStorage: before })
})

/** What is there after a reload. */
const reloaded = (conversation: string, user = "alice") => createDrafts(user).of(conversation)

test("what was begun is there after a reload, for each conversation and person, until it is sent", () => {
  const drafts = createDrafts("alice")
  expect(drafts.of("c1")).toBe("")
  drafts.keep("c1", "Dear B")
  drafts.keep("c1", "Dear Bob")
  drafts.keep("c2", "Dear Carol")
  expect([reloaded("c1"), reloaded("c2"), reloaded("c3")]).toEqual(["Dear Bob", "Dear Carol", ""])
  expect(reloaded("c1", "bob")).toBe("")
  drafts.keep("c1", "")
  expect([drafts.of("c1"), reloaded("c1"), reloaded("c2")]).toEqual(["", "", "Dear Carol"])
})

test("at sign-out nothing stays, and nothing comes after it", () => {
  const drafts = createDrafts("alice")
  drafts.keep("c1", "Secret")
  createDrafts("bob").keep("c1", "Mine")
  drafts.erase()
  drafts.keep("c1", "Too late")
  expect([drafts.of("c1"), reloaded("c1"), reloaded("c1", "bob")]).toEqual(["", "", "Mine"])
  eraseDrafts((owner) => owner !== "bob")
  expect(reloaded("c1", "bob")).toBe("Mine")
  eraseDrafts((owner) => owner === "bob")
  expect(Object.keys(localStorage)).toEqual([])
})

test("beyond the bounds the oldest are forgotten, and never the one that is being written", () => {
  const drafts = createDrafts("alice")
  for (let i = 0; i <= DRAFTS; i += 1) {
    setSystemTime(1_000 + i)
    drafts.keep(`c${i}`, `Text ${i}`)
  }
  expect(Object.keys(localStorage)).toHaveLength(DRAFTS)
  expect([reloaded("c0"), reloaded("c1")]).toEqual(["", "Text 1"])
  setSystemTime(2_000)
  drafts.keep("c1", "long ".repeat(DRAFT_CHARACTERS / 5 - 20))
  expect(reloaded("c1")).not.toBe("")
  const size = Object.keys(localStorage).reduce(
    (n, key) => n + localStorage.getItem(key)!.length,
    0,
  )
  expect(size).toBeLessThanOrEqual(DRAFT_CHARACTERS)
  drafts.keep("c1", "long ".repeat(DRAFT_CHARACTERS))
  expect([drafts.of("c1").length > DRAFT_CHARACTERS, reloaded("c1")]).toEqual([true, ""])
})

test("a disk that is full or away keeps nothing, and the page goes on", () => {
  Object.assign(globalThis, { localStorage: aLocalStorage(40) })
  const drafts = createDrafts("alice")
  drafts.keep("c1", "longer than what is left of the disk")
  expect(drafts.of("c1")).toStartWith("longer")
  Object.assign(globalThis, { localStorage: undefined })
  drafts.keep("c1", "more")
  expect([drafts.of("c1"), reloaded("c1")]).toEqual(["more", ""])
  drafts.erase()
  localStorageIs("not json")
  expect(reloaded("c1")).toBe("")
})

function localStorageIs(item: string): void {
  Object.assign(globalThis, { localStorage: aLocalStorage() })
  localStorage.setItem("parley.draft.alice/c1", item)
}
