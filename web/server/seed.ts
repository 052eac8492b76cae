import { cookies } from "next/headers"
import { redirect } from "next/navigation"
import { withNext } from "../features/auth/next.ts"
import { LIST_MEMBERS, LIST_PAGE, OPEN_MEMBERS } from "../limits.ts"
import { Home, Log, OneConversation, type WireLogEvent } from "../live/documents.ts"
import { openAt, openingRange } from "../live/log.ts"
import type { Conversation, User } from "../live/model.ts"
import type { LiveState } from "../live/store.ts"
import { conversationOf, entryOf, userOf, usersIn, usersOf } from "../live/wire.ts"
import { askGraph } from "./graph.ts"

/** What a page begins with; rendered on the server and handed to the browser. */
export interface Seed {
  state: LiveState
  /** Where the list of conversations goes on; null where it is complete. */
  moreAfter: string | null
  clock: SeedClock
}

/** So that the browser's first render writes the same times and days as the server's. */
export interface SeedClock {
  /** Milliseconds since the epoch. */
  now: number
  timeZone: string
}

/** The browser says its time zone in this cookie, from the second page on. */
export const TIME_ZONE_COOKIE = "parley_tz"

/**
 * Loads the visitor's first page; with `open`, also the newest messages of that conversation.
 * Redirects a visitor without a login to /sign-in. @throws where the gateway cannot answer.
 */
export async function loadSeed(open?: string): Promise<Seed> {
  const [home, opened] = await Promise.all([
    askGraph(Home, { first: LIST_PAGE, members: LIST_MEMBERS }),
    open ? askGraph(OneConversation, { id: open, members: OPEN_MEMBERS }) : undefined,
  ])
  const viewer = home.data?.me && userOf(home.data.me)
  if (!viewer) {
    if (home.errors?.some(({ extensions }) => extensions?.code !== "UNAUTHENTICATED")) {
      throw new Error(`The gateway has no page to give: ${home.errors[0]?.message}`)
    }
    redirect(withNext("/sign-in", open === undefined ? "/" : `/c/${encodeURIComponent(open)}`))
  }
  // A part of the list that is missing for an error would be shown as if there were no such thing.
  if (!home.data?.conversations || home.errors) {
    throw new Error("The conversations cannot be had just now.")
  }

  const users: Record<string, User> = { [viewer.id]: viewer }
  const conversations: Record<string, Conversation> = {}
  const wires = home.data.conversations.edges.map(({ node }) => node)
  // Without an answer, or with half of one, the browser asks again.
  if (opened?.data?.conversation && !opened.errors) wires.push(opened.data.conversation)
  for (const wire of wires) {
    for (const user of usersOf(wire.members)) users[user.id] = user
    conversations[wire.id] = conversationOf(wire, viewer.id)
  }

  const current = open === undefined ? undefined : conversations[open]
  if (current && current.position > 0) {
    const { after, first } = openingRange(current, viewer.id)
    const { data, errors } = await askGraph(Log, { id: current.id, after, first })
    const events: WireLogEvent[] = data?.conversation?.log ?? []
    for (const user of events.flatMap(usersIn)) users[user.id] = user
    // A page that ends early is left to the browser, which asks on.
    if (!errors && events.at(-1) && events.at(-1)!.seq >= after + first) {
      conversations[current.id] = openAt(current, events.map(entryOf), after)
    }
  }

  const { pageInfo } = home.data.conversations
  const moreAfter = pageInfo.hasNextPage ? pageInfo.endCursor : null
  const listComplete = moreAfter === null
  return {
    state: { viewer, users, conversations, pending: [], troubles: [], listComplete },
    moreAfter,
    clock: { now: Date.now(), timeZone: await timeZone() },
  }
}

async function timeZone(): Promise<string> {
  const given = (await cookies()).get(TIME_ZONE_COOKIE)?.value
  try {
    return new Intl.DateTimeFormat("en", { timeZone: given ?? "UTC" }).resolvedOptions().timeZone
  } catch {
    return "UTC"
  }
}
