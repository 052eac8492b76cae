import { until } from "@parley/testing/until.ts"
import { createLog } from "../../test/log-builder.ts"
import type { Bus, BusEvent } from "../bus.ts"

export const spoken = (text: string): BusEvent => ({
  kind: "entry",
  entry: createLog("c").message("alice", text),
})

export const textOf = (event: BusEvent): string =>
  event.kind === "entry" && event.entry.kind === "message" ? event.entry.text : event.kind

/** What a node has been told, by user. */
export function listen(bus: Bus, users: readonly string[]) {
  const heard = new Map<string, string[]>(users.map((user) => [user, []]))
  bus.onRecord(({ event, users }) => {
    for (const user of users) heard.get(user)?.push(textOf(event))
  })
  return heard
}

/** 100 events a second, to one user after the other, until it is stopped. */
export function startStream(bus: Bus, users: readonly string[]) {
  const published: Promise<void>[] = []
  const timer = setInterval(() => {
    const number = published.length
    const user = users[number % users.length]!
    published.push(bus.publish(spoken(`${number}`), () => [user])!)
  }, 10)
  return {
    get count() {
      return published.length
    },
    /** Stops, and resolves once the last event has been published. @returns what each user is to be told */
    async stop(): Promise<Map<string, string[]>> {
      clearInterval(timer)
      await Promise.all(published)
      return new Map(
        users.map((user, i) => [
          user,
          published
            .map((_, number) => `${number}`)
            .filter((_, number) => number % users.length === i),
        ]),
      )
    },
  }
}

/** Resolves once everybody has been told of everything; fails where anything is out of order. Doubles are allowed. */
export async function heardInOrder(
  heard: ReadonlyMap<string, string[]>,
  expected: ReadonlyMap<string, string[]>,
  within?: number,
): Promise<void> {
  const missing = () =>
    [...expected].flatMap(([user, texts]) => {
      const told = new Set(heard.get(user))
      return texts.filter((text) => !told.has(text))
    })
  await until(() => missing().length === 0, "every event", within).catch((error) => {
    throw new Error(`${error.message}: ${missing().length} are missing, from ${missing()[0]} on`)
  })
  for (const [user, texts] of expected) {
    const firsts = [...new Set(heard.get(user))]
    const disorder = firsts.findIndex((text, i) => text !== texts[i])
    if (disorder >= 0) {
      throw new Error(`${user} heard ${firsts[disorder]} where ${texts[disorder]} was next`)
    }
  }
}
