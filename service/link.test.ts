import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { plainNext, readSharedNext, sharedNext } from "./link.ts"

/** As the gateway makes them. */
const ids = fc.array(fc.stringMatching(/^[\w-]{1,12}$/), { minLength: 1, maxLength: 20 })
const payload = fc.json()

describe("a frame for many subscriptions", () => {
  test("is JSON, and is split again without its payload being parsed", () => {
    fc.assert(
      fc.property(ids, payload, (ids, payload) => {
        const frame = sharedNext(ids, payload)
        expect(JSON.parse(frame)).toEqual({ type: "next", ids, payload: JSON.parse(payload) })
        expect(readSharedNext(frame)).toEqual({ ids, payload })
      }),
    )
  })

  test("may carry what looks like a frame", () => {
    const text = `],"payload":{"type":"next","ids":["9"],"payload":{}}`
    const payload = JSON.stringify({ data: { text, type: "next", ids: ["9"], payload: {} } })
    expect(readSharedNext(sharedNext(["1", "2"], payload))).toEqual({ ids: ["1", "2"], payload })
  })
})

describe("a frame for one subscription", () => {
  test("is what graphql-transport-ws says, whatever its id", () => {
    fc.assert(
      fc.property(fc.string(), payload, (id, payload) => {
        const frame = plainNext(id, payload)
        expect(JSON.parse(frame)).toEqual({ id, type: "next", payload: JSON.parse(payload) })
        expect(readSharedNext(frame)).toBeUndefined()
      }),
    )
  })
})

test.each([
  "",
  "{}",
  "nonsense",
  `{"type":"next","id":"1","payload":{}}`,
  `{"type":"next","ids":["1"]`,
])("%p is not taken for a shared frame", (frame) => {
  expect(readSharedNext(frame)).toBeUndefined()
})
