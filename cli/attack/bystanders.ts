import { serve } from "../../testing/helper.ts"
import { Pair } from "./pair.ts"

/** The process of the bystanders: it shares no thread with the attackers, so what it measures is the system's doing. */
let pair: Pair | undefined

serve({
  async open(urls: string[]) {
    pair = await Pair.open(urls)
  },
  begin: () => pair?.begin(),
  end: () => pair?.end(),
})
