import type { FindCursor, WithId } from "mongodb"
import type { Entry } from "../../domain/entry.ts"
import { textBytes } from "../../domain/entry-bytes.ts"
import { ROWS_PER_READ } from "../../limits.ts"
import type { ListPlace, MembershipView } from "../store.ts"
import { type EntryDocument, entryOf } from "./shapes.ts"

/** Reads what a cursor finds, up to that many entries, or up to the one with which their texts exceed some bytes. */
export async function readEntries(
  cursor: FindCursor<WithId<EntryDocument>>,
  limit: number,
  bytes: number | undefined,
): Promise<Entry[]> {
  if (bytes === undefined || limit <= ROWS_PER_READ) {
    return upTo((await cursor.batchSize(limit).toArray()).map(entryOf), bytes)
  }
  const entries: Entry[] = []
  let left = bytes
  // Leaving the loop closes the cursor: what lies behind is not read.
  for await (const document of cursor.batchSize(ROWS_PER_READ)) {
    const entry = entryOf(document)
    entries.push(entry)
    left -= textBytes(entry)
    if (left < 0) break
  }
  return entries
}

function upTo(entries: Entry[], bytes: number | undefined): Entry[] {
  if (bytes === undefined) return entries
  let left = bytes
  const end = entries.findIndex((entry) => {
    left -= textBytes(entry)
    return left < 0
  })
  return end < 0 ? entries : entries.slice(0, end + 1)
}

/** The order of a user's list. */
export const byNewest = (a: MembershipView, b: MembershipView): number =>
  b.headAt - a.headAt || (a.conversation < b.conversation ? 1 : -1)

export const isListedAfter = (
  { headAt, conversation }: MembershipView,
  place: ListPlace | undefined,
): boolean =>
  place === undefined || headAt < place.at || (headAt === place.at && conversation < place.id)
