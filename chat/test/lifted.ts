import type { WriteLimits } from "../config.ts"
import { WRITE_LIMITS } from "../limits.ts"

/** Limits that no test meets: a test of limits says its own. */
export const LIFTED = Object.fromEntries(
  Object.keys(WRITE_LIMITS).map((name) => [name, 1_000_000_000_000]),
) as WriteLimits

/** Lets everything through, as it is where no limit is met. */
export const unlimited = {
  send() {},
  mark() {},
  change() {},
  check() {},
  add() {},
}
