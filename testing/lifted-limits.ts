import { WRITE_LIMITS } from "@parley/chat/limits.ts"

/** More than anything can do, within 15 digits. */
const NO_LIMIT = "1000000000000"

/**
 * The environment in which one account may do what a thousand people do: harnesses that drive a few accounts as fast as
 * they go set it for the services that they start.
 */
export const LIFTED_LIMITS: Record<string, string> = {
  ...Object.fromEntries(Object.keys(WRITE_LIMITS).map((name) => [name, NO_LIMIT])),
  OPERATIONS_PER_ADDRESS: "1000000",
  OPERATIONS_PER_PERSON: "1000000",
}
