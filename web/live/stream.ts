import type { Client, CombinedError } from "@urql/core"
import { Events, type WireEvent } from "./documents.ts"
import type { Resume } from "./resume.ts"

/** One run of the subscription; resolves when it ends, to the error that ended it. */
export function stream(
  client: Client,
  resume: () => Resume,
  receive: (event: WireEvent) => void,
  stop: AbortSignal,
): Promise<CombinedError | undefined> {
  return new Promise((resolve) => {
    const end = (error?: CombinedError) => {
      stop.removeEventListener("abort", stopped)
      subscription.unsubscribe()
      resolve(error)
    }
    const stopped = () => end()
    stop.addEventListener("abort", stopped)
    const subscription = client
      .subscription(Events, {}, { liveVariables: () => ({ ...resume() }) })
      .subscribe(({ data, error, hasNext }) => {
        if (data?.events) receive(data.events)
        if (error || hasNext === false) end(error)
      })
  })
}
