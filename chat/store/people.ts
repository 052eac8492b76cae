import type { Settings } from "../domain/settings.ts"

/** Knows of people what no single conversation tells. */
export interface People {
  /** The settings of each of these people who has chosen any. */
  settings(users: readonly string[]): Promise<Map<string, Settings>>

  putSettings(user: string, settings: Settings): Promise<void>

  /** In how many conversations each of these people is now, counted up to a limit. */
  countConversations(users: readonly string[], limit: number): Promise<Map<string, number>>

  /** Those of the others who are in a conversation in which the user is, too. */
  contacts(user: string, others: readonly string[]): Promise<Set<string>>
}
