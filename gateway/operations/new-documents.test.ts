import { expect, test } from "bun:test"
import { ParleyError } from "@parley/platform/errors.ts"
import { NEW_DOCUMENTS_PER_PERSON } from "../limits.ts"
import { createNewDocuments, payerKey } from "./new-documents.ts"

const alice = { user: "alice", address: "10.0.0.1" }
const bob = { user: "bob", address: "10.0.0.1" }

/** Work that takes so many ms of a clock that the test owns. */
function world() {
  let now = 0
  const clock = () => now
  const documents = createNewDocuments(clock, clock)
  const done: string[] = []
  return {
    documents,
    done,
    advance: (ms: number) => {
      now += ms
    },
    work: (ms: number, name: string) => () => {
      now += ms
      done.push(name)
      return name
    },
  }
}

test("work is done at once where there is no other", () => {
  const { documents, work } = world()
  expect(documents.work(alice, work(5, "a"))).toBe("a")
})

test("payers take turns, and each waits behind its own work", async () => {
  const { documents, work, done, advance } = world()
  documents.work(alice, work(50, "a0"))
  const waiting = [
    documents.work(alice, work(1, "a1")),
    documents.work(alice, work(1, "a2")),
    documents.work(alice, work(1, "a3")),
    documents.work(bob, work(1, "b1")),
  ]
  expect(done).toEqual(["a0"])
  advance(1_000)
  await Promise.all(waiting)
  expect(done).toEqual(["a0", "a1", "b1", "a2", "a3"])
})

test("a payer who used up its time is told when to come again, and others are not", () => {
  const { documents, work, advance } = world()
  const { burst, perSecond } = NEW_DOCUMENTS_PER_PERSON
  documents.work(alice, work(2 * burst, "long"))
  // Other work has had the thread for as long.
  advance(2 * burst)
  const next = () => documents.work(alice, work(1, "next"))
  expect(next).toThrow(ParleyError)
  expect(documents.work(bob, work(1, "b"))).toBe("b")
  let wait = 0
  try {
    next()
  } catch (error) {
    expect(error).toMatchObject({ code: "RATE_LIMITED" })
    wait = (error as ParleyError).details.retryAfterMs!
  }
  expect(wait).toBeWithin(1, (2_000 * burst) / perSecond)
  advance(wait)
  expect(next()).toBe("next")
})

test("more than a payer may have waiting is refused", () => {
  const { documents, work } = world()
  documents.work(alice, work(50, "first"))
  const ask = () => void documents.work(alice, work(1, "more"))
  for (let i = 0; i < 40; i++) ask()
  expect(ask).toThrow(ParleyError)
  documents.work(bob, work(1, "b"))
})

test("addresses of one IPv6 network are one payer, people are each their own", () => {
  const key = (address: string) => payerKey({ user: undefined, address })
  expect(key("2001:db8:0:1::1")).toBe(key("2001:0db8:0:0001:ffff::2"))
  expect(key("2001:db8::1")).toBe(key("2001:db8:0:0:1::"))
  expect(key("2001:db8:0:1::1")).not.toBe(key("2001:db8:0:2::1"))
  expect(key("10.0.0.1")).not.toBe(key("10.0.0.2"))
  expect(key("::ffff:10.0.0.1")).toBe(key("10.0.0.1"))
  expect(payerKey(alice)).not.toBe(payerKey(bob))
})

test("an address without a login has less time than a person", () => {
  const { documents, work, advance } = world()
  const stranger = { user: undefined, address: "10.0.0.1" }
  documents.work(stranger, work(3_000, "long"))
  advance(3_000)
  // It had 2 s, and 50 ms have come back in each of six.
  const refusal = expect.objectContaining({
    ...{ code: "RATE_LIMITED", details: { retryAfterMs: expect.any(Number) } },
  })
  const next = () => documents.work(stranger, work(1, "next"))
  expect(next).toThrow(refusal)
  advance(13_000)
  expect(next).toThrow(refusal)
  advance(2_000)
  expect(next()).toBe("next")
})

test("more than all payers may have waiting is refused", () => {
  const { documents, work } = world()
  documents.work(alice, work(50, "first"))
  const ask = (user: number) => () =>
    void documents.work({ ...alice, user: `${user}` }, work(1, "more"))
  for (let i = 0; i < 500; i++) ask(i)()
  expect(ask(500)).toThrow(ParleyError)
})
