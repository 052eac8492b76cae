import type { Work } from "@parley/link/work.ts"
import { unauthenticated } from "@parley/platform/errors.ts"
import type { RequestContext } from "@parley/platform/request-context.ts"
import type { Groups } from "../domain/groups.ts"
import type { Messages } from "../domain/messages.ts"
import type { Reader } from "../domain/reader.ts"
import type { Receipts } from "../domain/receipts.ts"
import type { PersonalSettings } from "../domain/settings.ts"
import type { StateCache } from "../domain/state-cache.ts"
import type { Store } from "../store/store.ts"

/** What the resolvers call: the domain, and nothing below it but plain look-ups. */
export interface Services {
  store: Store
  states: StateCache
  reader: Reader
  messages: Messages
  groups: Groups
  receipts: Receipts
  settings: PersonalSettings
}

export interface ChatContext {
  /** The signed-in user; undefined for a request without a login, and while one rendering serves many viewers. */
  viewer: string | undefined
  /** What brings about whatever is written; absent where an event is rendered, which writes nothing. */
  cause?: RequestContext
  services: Services
  /** Where lists ask for their turn, and what is read is charged to the answer. */
  work: Work
}

/** @throws ParleyError UNAUTHENTICATED for a request without a login. */
export function viewerOf(context: ChatContext): string {
  if (context.viewer === undefined) throw unauthenticated()
  return context.viewer
}
