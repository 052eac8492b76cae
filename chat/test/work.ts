import type { Turns } from "@parley/link/turns.ts"
import { unavailable } from "@parley/platform/errors.ts"

/** Work of a test that calls a node's graph without its endpoint: as much as it likes. */
export const unlimitedWork = (turns: Turns) =>
  turns.work({
    bytes: Number.POSITIVE_INFINITY,
    tooLarge: () => unavailable("never"),
  })
