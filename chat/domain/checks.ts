import { badInput } from "@parley/platform/errors.ts"
import { isUuidv7, uuidv7Time } from "@parley/platform/ids.ts"
import { lineOfText, mustBeText } from "@parley/platform/names.ts"
import { MAX_ID_AHEAD, MAX_ID_LENGTH, MAX_TEXT_LENGTH, MAX_TITLE_LENGTH } from "../limits.ts"

/** @throws ParleyError BAD_INPUT where the text has no or more than 8,000 characters, a NUL or half a surrogate pair. */
export function checkText(text: string | null | undefined, field = "text"): string {
  if (!text) throw badInput(field, "A message has 1 to 8,000 characters.")
  mustBeText(field, text)
  // A character is a code point; only a text that may be too long is worth counting.
  if (text.length > MAX_TEXT_LENGTH && [...text].length > MAX_TEXT_LENGTH) {
    throw badInput(field, "A message has 1 to 8,000 characters.")
  }
  return text
}

/** @throws ParleyError BAD_INPUT unless it is a line of 1 to 100 characters, all of them to be seen (docs/names.md). */
export const checkTitle = (title: string): string =>
  lineOfText("title", title, MAX_TITLE_LENGTH, "nickname")

/** @throws ParleyError BAD_INPUT unless it is a UUIDv7 whose time is at most a day ahead of ours. */
export function checkClientId(id: string, field: string, now: number): string {
  if (!isUuidv7(id)) throw badInput(field, "An id is a UUIDv7 in lower case.")
  if (uuidv7Time(id) > now + MAX_ID_AHEAD) {
    throw badInput(field, "That id lies more than a day ahead.")
  }
  return id
}

/** @throws ParleyError BAD_INPUT unless it may be the id of a message. */
export const checkMessageId = (id: string, now: number): string => checkClientId(id, "id", now)

/** Ids of users and conversations are opaque; this only keeps absurd ones away from the store. */
export function checkId(id: string, field: string): string {
  if (id.length === 0 || id.length > MAX_ID_LENGTH || !/^[\w.:-]+$/.test(id)) {
    throw badInput(field, "That is not an id.")
  }
  return id
}

/** @throws ParleyError BAD_INPUT unless it is a whole number from 0 to `max`. */
export function checkCount(count: number, field: string, max: number, min = 0): number {
  if (!Number.isInteger(count) || count < min || count > max) {
    throw badInput(field, `A number from ${min} to ${max}, please.`)
  }
  return count
}
