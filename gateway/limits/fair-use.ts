import { ParleyError } from "@parley/platform/errors.ts"
import { createTokenBuckets } from "@parley/platform/token-bucket.ts"
import {
  CHARACTERS_AN_OPERATION,
  FRAMES_AN_OPERATION,
  ITEMS_A_UNIT,
  OPERATIONS_PER_ADDRESS,
  OPERATIONS_PER_PERSON,
} from "../limits.ts"
import { type Payer, payerKey } from "../operations/new-documents.ts"

export interface FairUse {
  /**
   * Counts an operation that asks for so many items, before it is run.
   * @throws ParleyError RATE_LIMITED where its payer has sent too many
   */
  count(payer: Payer, items: number): void
  /**
   * Counts one frame of a socket, or one request, before it is parsed and whatever it is; false where its payer has sent
   * too many, or too long ones.
   */
  admits(payer: Payer, characters: number): boolean
}

/** How many operations a second a payer may send; the burst is what its bucket holds at least. */
export interface FairUseSettings {
  operationsPerPerson?: number
  operationsPerAddress?: number
}

/** @param now in ms, never running back */
export function createFairUse(
  settings: FairUseSettings = {},
  now: () => number = () => performance.now(),
): FairUse {
  const buckets = (
    { burst, perSecond }: typeof OPERATIONS_PER_PERSON | typeof OPERATIONS_PER_ADDRESS,
    given?: number,
  ) => createTokenBuckets({ burst: Math.max(burst, given ?? 0), perSecond: given ?? perSecond })
  const people = buckets(OPERATIONS_PER_PERSON, settings.operationsPerPerson)
  const addresses = buckets(OPERATIONS_PER_ADDRESS, settings.operationsPerAddress)
  const framesOfPeople = buckets(OPERATIONS_PER_PERSON, settings.operationsPerPerson)
  const framesOfAddresses = buckets(OPERATIONS_PER_ADDRESS, settings.operationsPerAddress)
  return {
    count(payer, items) {
      const ofPayer = payer.user === undefined ? addresses : people
      const taken = ofPayer.take(payerKey(payer), 1 + items / ITEMS_A_UNIT, now())
      if (taken.ok) return
      throw tooMuch(taken.retryAfterMs)
    },
    admits(payer, characters) {
      const ofPayer = payer.user === undefined ? framesOfAddresses : framesOfPeople
      const cost = Math.max(1 / FRAMES_AN_OPERATION, characters / CHARACTERS_AN_OPERATION)
      return ofPayer.take(payerKey(payer), cost, now()).ok
    },
  }
}

export const tooMuch = (retryAfterMs = 1_000) =>
  new ParleyError("RATE_LIMITED", "Too much at once: wait a moment.", { retryAfterMs })
