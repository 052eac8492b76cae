import { NOBODY } from "../upstream/caller.ts"
import type { Delivery, Subscriber } from "./subscriber.ts"

/**
 * Hands one result of a subgraph to the subscribers it is for. Those who subscribed alike get one text, worked out
 * once, unless it depends on who asks. Each gets its events in the order in which they came, whatever takes how long.
 */
export function fanOut(to: readonly Subscriber[], payload: string): void {
  const first = to[0]?.program
  if (!first) return
  if (to.every(({ program }) => program === first)) {
    toAlike(to, payload)
    return
  }
  for (const alike of Map.groupBy(to, ({ program }) => program).values()) toAlike(alike, payload)
}

function toAlike(to: readonly Subscriber[], payload: string): void {
  const { program } = to[0]!
  if (program.shareable) {
    send(to, program.render(payload, NOBODY))
    return
  }
  for (const subscriber of to) {
    send([subscriber], program.render(payload, subscriber.reader.caller()))
  }
}

function send(to: readonly Subscriber[], text: string | Promise<string>): void {
  const delivery: Delivery = { text: typeof text === "string" ? text : undefined }
  for (const subscriber of to) subscriber.push(delivery)
  if (typeof text === "string") return
  void text
    .then(
      (text) => {
        delivery.text = text
      },
      (error: Error) => {
        delivery.failure = error
      },
    )
    .then(() => {
      for (const subscriber of to) subscriber.flush()
    })
}
