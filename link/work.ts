import { ParleyError } from "@parley/platform/errors.ts"
import { PAGES_AT_ONCE } from "./limits.ts"

/** Counts the cost of one operation, or of one rendering of an event. */
export interface Work {
  /** Begins the work: its person is charged for the time from here on. */
  begin(): void
  /**
   * Asks to go on: to be called before each piece of work that may be long, such as one page of a list. Undefined
   * where it may go on at once, which is nearly always.
   * @throws ParleyError the failure of the work; UNAVAILABLE once it is over.
   */
  turn(): Promise<void> | undefined
  /**
   * Takes bytes, and items, of the answer. Once they are used up, all further work of the operation is refused.
   * @throws ParleyError TOO_LARGE
   */
  charge(bytes: number, items?: number): void
  /** Why the work is over before its end; its answer is this alone. */
  failure: ParleyError | undefined
  /** The work has ended. */
  done(): void
}

export interface WorkOptions {
  /** The viewer, or the address of a client without a login; undefined for work of the node's own. */
  person?: string | undefined
  /** Events take their turns after persons who have just sent a request. */
  isForEvents?: boolean
  /** Bounds of the answer: bytes of JSON, and items. */
  bytes: number
  items?: number
  tooLarge(): ParleyError
  /** Whether the answer is still of use; work that has to wait asks again before it goes on. */
  isWaitedFor?(): boolean
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what JSON has to escape.
const ESCAPED = /[\u0000-\u001f"\\]/

/** Characters up to which a text is estimated, not measured: measuring costs more than it tells. */
const SHORT = 64

/** The bytes of a text within an answer: UTF-8, as JSON. Of a short one, twice its length. */
export function bytesOf(text: string): number {
  if (text.length <= SHORT) return 2 * text.length
  return Buffer.byteLength(ESCAPED.test(text) ? JSON.stringify(text) : text)
}

/** The refusal of an answer that has grown beyond its bound. */
export const answerTooLarge = (bytes: number): ParleyError =>
  new ParleyError(
    "TOO_LARGE",
    `The answer would have more than ${Math.floor(bytes / 1024)} KiB: ask for fewer items or fields.`,
  )

/**
 * Reads a page in turn. It asks right before the read, since many fields that are resolved at once would all be told to
 * go on, and once more after it, since resolving the page costs as much as reading it.
 */
export async function inTurn<T>(work: Work, read: () => Promise<T>): Promise<T> {
  const before = work.turn()
  if (before) await before
  const page = await read()
  const after = work.turn()
  if (after) await after
  return page
}

/** Pages that an operation reads at the moment, and those that wait for one of these. */
interface Pages {
  reading: number
  waiting: (() => void)[]
}
const pagesOf = new WeakMap<Work, Pages>()

/**
 * Reads a page of texts in turn, and few pages of one operation at once: each page is charged before the next is read, so
 * an operation that asks for too much holds little of it. Short pages are better read all at once: a store batches the
 * reads of one moment.
 */
export async function fewInTurn<T>(work: Work, read: () => Promise<T>): Promise<T> {
  let pages = pagesOf.get(work)
  if (!pages) {
    pages = { reading: 0, waiting: [] }
    pagesOf.set(work, pages)
  }
  const { waiting } = pages
  if (pages.reading < PAGES_AT_ONCE) pages.reading += 1
  else await new Promise<void>((resolve) => waiting.push(resolve))
  try {
    return await inTurn(work, read)
  } finally {
    const next = waiting.shift()
    if (next) next()
    else pages.reading -= 1
  }
}
