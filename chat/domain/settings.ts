import type { People } from "../store/people.ts"
import type { Allowance } from "./allowance.ts"

/** Who may add a person to a group or begin a direct conversation with them. */
export type Adders = "EVERYONE" | "CONTACTS" | "NOBODY"

/** What a person has chosen for themselves. */
export interface Settings {
  mayAdd: Adders
}

export const DEFAULT_SETTINGS: Readonly<Settings> = { mayAdd: "EVERYONE" }

/** What people have chosen for themselves. */
export interface PersonalSettings {
  of(user: string): Promise<Settings>
  /** Changes what is given; answers the settings after it. */
  update(user: string, change: { [K in keyof Settings]?: Settings[K] | null }): Promise<Settings>
}

export function createSettings(people: People, allowance: Allowance): PersonalSettings {
  const of = async (user: string): Promise<Settings> =>
    (await people.settings([user])).get(user) ?? { ...DEFAULT_SETTINGS }

  return {
    of,
    async update(user, { mayAdd }) {
      allowance.change(user)
      const before = await of(user)
      if (mayAdd == null) return before
      const settings = { ...before, mayAdd }
      await people.putSettings(user, settings)
      return settings
    },
  }
}
