import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { plainNext, readSharedNext, sharedNext } from "./protocol.ts"

/** As the gateway makes them. */
const ids = fc.array(fc.stringMatching(/^[\w-]{1,12}$/), { minLength: 1, maxLength: 20 })
const payload = fc.json()

describe("a frame for many subscriptions", () => {
  test("is JSON, and is split again without its payload being parsed", () => {
    fc.assert(
      fc.property(ids, payload, (ids, payload) => {
        const frame = sharedNext(ids, payload)
        expect(JSON.parse(frame)).toEqual({ type: "next", ids, payload: JSON.parse(payload) })
        expect(readSharedNext(frame)).toEqual({ ids, payload, cause: undefined })
      }),
    )
  })

  test("may carry what looks like a frame", () => {
    const text = `],"payload":{"type":"next","ids":["9"],"payload":{}}`
    const payload = JSON.stringify({ data: { text, type: "next", ids: ["9"], payload: {} } })
    const read = { ids: ["1", "2"], payload }
    expect(readSharedNext(sharedNext(["1", "2"], payload))).toMatchObject(read)
    expect(readSharedNext(sharedNext(["1", "2"], payload, { requestId: "a-1" }))).toMatchObject(
      read,
    )
  })

  test("may say what brought its payload about", () => {
    const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    const causes = fc.record(
      { requestId: fc.stringMatching(/^[\w-]{1,20}$/), traceparent: fc.constant(traceparent) },
      { requiredKeys: ["requestId"] },
    )
    fc.assert(
      fc.property(ids, payload, causes, (ids, payload, cause) => {
        const frame = sharedNext(ids, payload, cause)
        const parsed = { type: "next", ids, cause: { ...cause }, payload: JSON.parse(payload) }
        expect(JSON.parse(frame)).toEqual(parsed)
        expect(readSharedNext(frame)).toEqual({ ids, payload, cause: { ...cause } })
      }),
    )
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
  `{"type":"next","ids":["1"],"cause":{}`,
  `{"type":"next","ids":["1"],"of":"us","payload":{}}`,
])("%p is not taken for a shared frame", (frame) => {
  expect(readSharedNext(frame)).toBeUndefined()
})
