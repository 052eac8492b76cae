import { addressGroup, wideAddressGroup } from "@parley/platform/address-group.ts"
import { ParleyError } from "@parley/platform/errors.ts"
import type { RateLimit } from "./rate-limits.ts"
import type { Turns } from "./turns.ts"

/** Takes the guess back, because it was right. */
export type Forgive = () => Promise<void>

/**
 * Counts guesses of passwords, each before it is looked at: guesses of one moment would all pass otherwise. What was
 * counted of a guess that is refused stays counted, so that each refusal costs the guesser; and a guess that is refused
 * by the first of its limits is not written down at all, so that a flood costs no writes.
 */
export interface Guesses {
  /**
   * A guess from a device that never signed in to the account: by address, by account and address, and, loosely, by
   * account. Beyond the last one, devices take turns.
   * @throws ParleyError RATE_LIMITED
   */
  unknown(account: string, address: string): Promise<Forgive>
  /** A guess from a device that has signed in to the account before: what others do does not count. */
  known(account: string, device: string): Promise<Forgive>
  /** A guess within a login session. */
  inSession(session: string): Promise<Forgive>
}

export interface GuessesOptions {
  limits: {
    address: RateLimit
    /** The /48 of an IPv6 address. */
    network: RateLimit
    accountAndAddress: RateLimit
    accountAndNetwork: RateLimit
    account: RateLimit
    device: RateLimit
    session: RateLimit
  }
  turns: Turns
}

export function createGuesses({ limits, turns }: GuessesOptions): Guesses {
  return {
    async unknown(account, address) {
      const group = addressGroup(address)
      const network = wideAddressGroup(address)
      await turns.mustNotBeEarly(account, network ?? group)
      const taken = [await limits.address.take(group)]
      if (network) taken.push(await limits.network.take(network))
      taken.push(await limits.accountAndAddress.take(`${account} ${group}`))
      if (network) taken.push(await limits.accountAndNetwork.take(`${account} ${network}`))
      try {
        taken.push(await limits.account.take(account))
      } catch (error) {
        if (!(error instanceof ParleyError && error.code === "RATE_LIMITED")) throw error
        await turns.take(account, network ?? group)
      }
      return async () => {
        await Promise.all(taken.map((forgive) => forgive()))
      }
    },
    known: (account, device) => limits.device.take(`${account} ${device}`),
    inSession: (session) => limits.session.take(session),
  }
}
