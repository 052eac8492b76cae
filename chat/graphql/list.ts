import { inTurn, type Work } from "@parley/link/work.ts"
import type { GraphQLResolveInfo } from "graphql"
import type { MembershipView } from "../store/store.ts"
import { type ChatContext, viewerOf } from "./context.ts"
import { checkPage, connection, placeFromCursor, toCursor } from "./paging.ts"
import { itemBytes } from "./selection.ts"

/** Pages that one operation has read, so that it reads none twice. */
const pages = new WeakMap<Work, Map<string, Promise<MembershipView[]>>>()

/** The viewer's conversations, by newest entry: one page of them. */
export async function conversationPage(
  _root: unknown,
  { first, after }: { first: number; after?: string | null },
  context: ChatContext,
  info: GraphQLResolveInfo,
) {
  checkPage(first, "first")
  const place = after == null ? undefined : placeFromCursor(after, "c", "after")
  const viewer = viewerOf(context)
  const { reader } = context.services
  const found = await once(context.work, `${first} ${after}`, () =>
    inTurn(context.work, () => reader.conversations(viewer, place, first + 1)),
  )
  const page = found.slice(0, first)
  context.work.charge(page.length * itemBytes(info), page.length)
  const edges = page.map((membership) => ({
    cursor: () => toCursor("c", membership.headAt, membership.conversation),
    node: { id: membership.conversation, membership },
  }))
  return connection(edges, {
    hasNextPage: found.length > first,
    hasPreviousPage: place !== undefined,
  })
}

function once(work: Work, key: string, read: () => Promise<MembershipView[]>) {
  const known = pages.get(work) ?? new Map<string, Promise<MembershipView[]>>()
  pages.set(work, known)
  const reading = known.get(key) ?? read()
  known.set(key, reading)
  return reading
}
