import type { Clock } from "@parley/platform/clock.ts"
import { ParleyError } from "@parley/platform/errors.ts"
import { MAX_CONVERSATIONS, MAX_REFUSED_NAMED } from "../limits.ts"
import type { People } from "../store/people.ts"
import type { UsageStore } from "../store/usage.ts"
import type { OnLimited } from "./allowance.ts"
import { DEFAULT_SETTINGS } from "./settings.ts"
import { dayOf, type Usage, untilTomorrow } from "./usage.ts"

/** What is about to be done to people. */
export interface Adding {
  by: string
  /** Those who become members, without the one who does it. */
  people: readonly string[]
  /** A conversation that begins has its founder as a member, too. */
  begins?: "GROUP" | "DIRECT"
}

/** Decides whether people may be made members, and counts it. */
export interface Admission {
  /**
   * Reserves it in the day's counts, before it is done. Resolves with what gives the reservation back, for where it is
   * not done after all.
   * @throws ParleyError FORBIDDEN where one of them cannot be added; RATE_LIMITED where it is more than a day allows.
   */
  admit(adding: Adding): Promise<() => Promise<void>>
}

export interface AdmissionOptions {
  people: People
  usage: UsageStore
  limits: Record<"GROUPS_PER_DAY" | "ADDS_PER_DAY" | "STRANGERS_PER_DAY", number>
  clock: Clock
  onLimited?: OnLimited
}

export function createAdmission(options: AdmissionOptions): Admission {
  const { people: store, usage, limits, clock, onLimited } = options
  const bounds = {
    groups: limits.GROUPS_PER_DAY,
    adds: limits.ADDS_PER_DAY,
    strangers: limits.STRANGERS_PER_DAY,
  }

  async function checkRoom(by: string): Promise<void> {
    const count = (await store.countConversations([by], MAX_CONVERSATIONS)).get(by) ?? 0
    if (count < MAX_CONVERSATIONS) return
    onLimited?.("conversations")
    throw new ParleyError("FORBIDDEN", "You are in as many conversations as one person can be.")
  }

  /** Those of these people who are contacts of the one who adds them. @throws ParleyError FORBIDDEN */
  async function checkPeople(by: string, people: readonly string[]): Promise<Set<string>> {
    const [settings, counts, contacts] = await Promise.all([
      store.settings(people),
      store.countConversations(people, MAX_CONVERSATIONS),
      store.contacts(by, people),
    ])
    const allow = (user: string): boolean => {
      const { mayAdd } = settings.get(user) ?? DEFAULT_SETTINGS
      return mayAdd === "EVERYONE" || (mayAdd === "CONTACTS" && contacts.has(user))
    }
    const full = people.filter((user) => (counts.get(user) ?? 0) >= MAX_CONVERSATIONS)
    const unwilling = people.filter((user) => !allow(user))
    if (full.length > 0) onLimited?.("conversations")
    if (unwilling.length > 0) onLimited?.("settings")
    const refused = new Set([...full, ...unwilling])
    if (refused.size > 0) throw cannotBeAdded(people.filter((user) => refused.has(user)))
    return contacts
  }

  async function reserve(by: string, amounts: Partial<Usage>): Promise<() => Promise<void>> {
    const now = clock.now()
    const day = dayOf(now)
    const passed = await usage.reserve(by, day, amounts, bounds)
    if (passed && passed !== "bytes") {
      onLimited?.(passed)
      throw new ParleyError("RATE_LIMITED", "That is more than one day allows.", {
        retryAfterMs: untilTomorrow(now),
      })
    }
    const back = Object.entries(amounts).map(([kind, amount]) => [kind, -amount])
    return async () => void (await usage.add(by, day, Object.fromEntries(back)))
  }

  return {
    async admit({ by, people, begins }) {
      if (begins) await checkRoom(by)
      const contacts = people.length > 0 ? await checkPeople(by, people) : new Set<string>()
      const strangers = people.filter((user) => !contacts.has(user)).length
      return reserve(by, {
        ...(begins === "GROUP" && { groups: 1 }),
        ...(people.length > 0 && { adds: people.length, strangers }),
      })
    },
  }
}

/** The words do not say why; the client is told whom it may leave out. Who asks for each by itself learns the same. */
const cannotBeAdded = (users: string[]) =>
  new ParleyError("FORBIDDEN", "These people cannot be added.", {
    users: users.slice(0, MAX_REFUSED_NAMED),
  })
