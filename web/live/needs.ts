import { NEEDS_AT_ONCE } from "../limits.ts"
import { untilDone } from "./retry.ts"
import type { Need } from "./store.ts"

/** Does what is missing for the conversation of that id; tried again where it rejects. */
type Task = (id: string) => Promise<unknown>

/**
 * Does what the store finds to be missing: one thing at a time for each conversation, what else it finds there meanwhile
 * afterwards, and few at a time in all. `catchUp` takes what comes after a conversation's position.
 */
export function createNeeds(
  tasks: Record<Need["need"], Task>,
  catchUp: Task,
  wake: () => AbortSignal,
): { satisfy(need: Need | undefined): void } {
  /** Under way or waiting, by conversation. */
  const busy = new Map<string, { what: Need["need"]; next: Set<Need["need"]> }>()
  const waiting: string[] = []
  let underWay = 0

  async function work(): Promise<void> {
    underWay += 1
    for (let id = waiting.shift(); id !== undefined; id = waiting.shift()) {
      const { what, next } = busy.get(id)!
      await untilDone(() => tasks[what](id), { wake })
      // What came while the picture was on its way may not be in it, and was kept nowhere.
      if (what === "conversation" && next.delete(what)) await untilDone(() => catchUp(id), { wake })
      busy.delete(id)
      for (const need of next) satisfy({ need, conversation: id })
    }
    underWay -= 1
  }

  function satisfy(need: Need | undefined): void {
    if (!need) return
    const { need: what, conversation: id } = need
    const present = busy.get(id)
    if (present) {
      // One that fills a hole goes on until there is none, and one that counts until its count is right.
      if (what !== present.what || what === "conversation") present.next.add(what)
      return
    }
    busy.set(id, { what, next: new Set() })
    waiting.push(id)
    if (underWay < NEEDS_AT_ONCE) void work()
  }

  return { satisfy }
}
