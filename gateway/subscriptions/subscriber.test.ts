import { expect, test } from "bun:test"
import { ParleyError } from "@parley/platform/errors.ts"
import { MAX_WAITING_EVENT_BYTES, MAX_WAITING_EVENTS } from "../limits.ts"
import { type Delivery, Subscriber } from "./subscriber.ts"

function reader() {
  const sent: string[] = []
  const closed: number[] = []
  const mine = {
    ...{ sent, closed, user: "alice", mayAsk: true },
    send: (frame: string) => void sent.push(JSON.parse(frame).payload),
    close: (code: number) => void closed.push(code),
    caller: () => ({}) as never,
  }
  const subscriber = new Subscriber('"1"', { maxBytes: 100 } as never, mine, () => {})
  return { ...mine, subscriber }
}
const pending = (size = 1): Delivery => ({ text: undefined, size })

test("what waits behind a slow event is bounded in events", () => {
  const { subscriber, closed } = reader()
  for (let i = 0; i < MAX_WAITING_EVENTS; i++) subscriber.push(pending())
  expect(closed).toEqual([])
  subscriber.push(pending())
  expect(closed).toEqual([1013])
})

test("what waits behind a slow event is bounded in bytes, and what has gone out counts no more", () => {
  const { subscriber, closed, sent } = reader()
  for (let round = 1; round <= 3; round++) {
    const first = pending(MAX_WAITING_EVENT_BYTES)
    subscriber.push(first)
    first.text = `${round}`
    subscriber.flush()
    expect(sent).toHaveLength(round)
  }
  subscriber.push(pending(MAX_WAITING_EVENT_BYTES))
  expect(closed).toEqual([])
  subscriber.push({ text: "4", size: 1 })
  expect(closed).toEqual([1013])
})

test("an event that is too long ends the subscription with the reason, and one that fails for now has it resumed", async () => {
  const long = reader()
  long.subscriber.push({ text: JSON.stringify("x".repeat(100)), size: 1 })
  expect(await long.subscriber.next().catch((error) => error)).toMatchObject({ code: "TOO_LARGE" })
  expect([long.sent, long.closed]).toEqual([[], []])
  const failing = reader()
  const delivery = pending()
  failing.subscriber.push(delivery)
  delivery.failure = new ParleyError("TOO_LARGE", "Too large.")
  // Its client could not ask again, and need not.
  failing.mayAsk = false
  failing.subscriber.flush()
  expect(await failing.subscriber.next().catch((error) => error)).toMatchObject({
    code: "TOO_LARGE",
  })
  expect(failing.closed).toEqual([])
})
