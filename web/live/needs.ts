import { NEEDS_AT_ONCE } from "../limits.ts"
import { untilDone } from "./retry.ts"
import type { Need } from "./store.ts"

/** Does what is missing for the conversation of that id; tried again where it rejects. */
type Task = (id: string) => Promise<unknown>

/**
 * Does what the store finds to be missing: once at a time for each conversation, and few at a time in all. `catchUp`
 * takes what comes after a conversation's position.
 */
export function createNeeds(
  tasks: Record<Need["need"], Task>,
  catchUp: Task,
  wake: () => AbortSignal,
): { satisfy(need: Need | undefined): void } {
  /** Under way or waiting, by conversation; true where something more has come meanwhile. */
  const busy = new Map<string, boolean>()
  const waiting: Need[] = []
  let underWay = 0

  async function work(): Promise<void> {
    underWay += 1
    for (let need = waiting.shift(); need; need = waiting.shift()) {
      const { conversation: id, need: what } = need
      await untilDone(() => tasks[what](id), { wake })
      // What came while the picture was on its way may not be in it, and was kept nowhere.
      if (busy.get(id)) await untilDone(() => catchUp(id), { wake })
      busy.delete(id)
    }
    underWay -= 1
  }

  return {
    satisfy(need) {
      if (!need) return
      if (busy.has(need.conversation)) {
        if (need.need === "conversation") busy.set(need.conversation, true)
        return
      }
      busy.set(need.conversation, false)
      waiting.push(need)
      if (underWay < NEEDS_AT_ONCE) void work()
    },
  }
}
