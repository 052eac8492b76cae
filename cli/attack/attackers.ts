import { setPriority } from "node:os"
import { serve } from "../../testing/helper.ts"
import type { Target } from "./attack.ts"
import { ATTACKS } from "./catalogue.ts"

/** Attackers have machines of their own. Here they share one with the services, which come first. */
const NICENESS = 15

serve({
  run({ attack, variant, target }: { attack: string; variant: string; target: Target }) {
    setPriority(NICENESS)
    const found = ATTACKS.find(({ name }) => name === attack)
    const chosen = found?.variants.find(({ name }) => name === variant)
    if (!chosen) throw new Error(`there is no attack "${attack}: ${variant}"`)
    return chosen.run(target)
  },
})
