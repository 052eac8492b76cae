import { type RequestContext, readRequestContext } from "@parley/platform/request-context.ts"
import * as v from "valibot"
import { MAX_TEXT_LENGTH } from "../../limits.ts"
import { type BusEvent, type BusRecord, toRecords } from "../bus.ts"

/**
 * A record as it travels: JSON in UTF-8. Who sent it stands in a header, so that its sender need not read it, and so does
 * what brought it about, which concerns the logs alone.
 */
export interface WireRecord {
  partition: number
  value: Buffer
  headers: Record<string, string>
}

const REQUEST_ID = "request-id"
/** As W3C Trace Context names it. */
const TRACEPARENT = "traceparent"

/** No record of ours comes near it; in bytes. */
export const MAX_RECORD = 1_048_576
/** With an id of 64 characters each, some 70 KB. */
const MAX_USERS = 1_000

const id = v.pipe(v.string(), v.minLength(1), v.maxLength(64))
const ids = v.array(id)
const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0))

const base = {
  ...{ conversation: id, seq: v.pipe(count, v.minValue(1)), at: count, by: id },
  tally: v.object({ messages: count, ofAuthor: count, members: count }),
}
const MessageEntry = v.object({
  ...base,
  ...{ kind: v.literal("message"), id },
  // A character has up to two code units.
  text: v.pipe(v.string(), v.maxLength(2 * MAX_TEXT_LENGTH)),
})
const MembersEntry = v.object({
  ...base,
  ...{ kind: v.literal("members"), joined: ids, left: ids, promoted: ids, demoted: ids },
  created: v.optional(
    v.object({ kind: v.picklist(["DIRECT", "GROUP"]), title: v.nullable(v.string()) }),
  ),
})
const Event = v.variant("kind", [
  v.object({
    kind: v.literal("entry"),
    entry: v.variant("kind", [MessageEntry, MembersEntry]),
  }),
  v.object({
    ...{ kind: v.literal("receipt"), conversation: id, user: id },
    ...{ delivered: count, read: count },
  }),
])
const WireRecord: v.GenericSchema<unknown, BusRecord> = v.object({
  event: Event,
  users: v.pipe(ids, v.minLength(1)),
})

/** An event's records, as they travel: one per partition among the users, and several where these are very many. */
export function encodeRecords(
  event: BusEvent,
  users: readonly string[],
  partitions: number,
): WireRecord[] {
  const { cause } = event
  const said = JSON.stringify(cause ? { ...event, cause: undefined } : event)
  const headers = headersOf(cause)
  return [...toRecords(event, users, partitions)].flatMap(([partition, record]) =>
    inParts(record.users).map((part) => ({
      partition,
      headers,
      value: Buffer.from(`{"event":${said},"users":${JSON.stringify(part)}}`),
    })),
  )
}

function headersOf(cause: RequestContext | undefined): Record<string, string> {
  if (!cause) return {}
  const { requestId, traceparent } = cause
  return traceparent === undefined
    ? { [REQUEST_ID]: requestId }
    : { [REQUEST_ID]: requestId, [TRACEPARENT]: traceparent }
}

function inParts(users: string[]): string[][] {
  if (users.length <= MAX_USERS) return [users]
  const parts: string[][] = []
  for (let from = 0; from < users.length; from += MAX_USERS) {
    parts.push(users.slice(from, from + MAX_USERS))
  }
  return parts
}

const utf8 = new TextDecoder("utf-8", { fatal: true })

export type WireHeaders = Record<string, { toString(): string } | undefined>

/**
 * Reads what any producer may have written. Fields that are not known are left out: a newer node may have added them.
 * @throws Error that says why it is none of our records
 */
export function decodeRecord(value: Buffer | null, headers: WireHeaders = {}): BusRecord {
  if (!value) throw new Error("it is empty")
  if (value.length > MAX_RECORD) throw new Error(`it has ${value.length} bytes`)
  const result = v.safeParse(WireRecord, JSON.parse(utf8.decode(value)), { abortEarly: true })
  if (result.success) {
    const { event, users } = result.output
    const cause = readRequestContext(
      headers[REQUEST_ID]?.toString(),
      headers[TRACEPARENT]?.toString(),
    )
    return { event: cause ? { ...event, cause } : event, users }
  }
  const [issue] = result.issues
  throw new Error(`${v.getDotPath(issue) ?? "it"}: ${issue.message}`)
}
