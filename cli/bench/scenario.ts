import type { Report } from "./report.ts"

export interface ScenarioOptions {
  /** A short run: shows that everything works, and figures that are to be taken with care. */
  quick: boolean
  /** Says what is being done. */
  say(text: string): void
}

export type Scenario = (options: ScenarioOptions) => Promise<Report>

/** What each service costs, in the order in which a message passes them. */
export const SERVICES = ["gateway", "chat", "auth"] as const
