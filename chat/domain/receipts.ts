import { badInput, notFound } from "@parley/platform/errors.ts"
import type { RequestContext } from "@parley/platform/request-context.ts"
import { MAX_RECEIPT_SPAN, MAX_SEQ } from "../limits.ts"
import type { Marks, Member, Store } from "../store/store.ts"
import type { Allowance } from "./allowance.ts"
import { checkCount, checkId } from "./checks.ts"
import type { StateCache } from "./state-cache.ts"

export interface Receipt {
  kind: "receipt"
  conversation: string
  user: string
  delivered: number
  read: number
}

export interface Receipts {
  /** Moves the member's watermarks up to `seq`; never back. Read is delivered too. @throws ParleyError NOT_FOUND, BAD_INPUT, RATE_LIMITED */
  mark(
    user: string,
    conversation: string,
    mark: keyof Marks,
    seq: number,
    cause?: RequestContext,
  ): Promise<Member>
}

export interface ReceiptsOptions {
  store: Store
  states: StateCache
  allowance: Pick<Allowance, "mark">
  /** Told of every watermark that moved, with those whom it concerns. */
  onMoved(receipt: Receipt, users: readonly string[], cause?: RequestContext): void
}

export function createReceipts(options: ReceiptsOptions): Receipts {
  const { store, states, allowance, onMoved } = options

  /** @throws ParleyError BAD_INPUT beyond the head of the log, as any node knows it. */
  async function checkSeq(conversation: string, seq: number): Promise<void> {
    checkCount(seq, "seq", MAX_SEQ)
    const state = await states.get(conversation)
    if (seq > state.head) await states.catchUp(state)
    if (seq > state.head) {
      throw badInput("seq", `The conversation's newest entry is ${state.head}.`)
    }
  }

  /**
   * Whom a receipt concerns: the member's own devices, and the authors of what it covers. Telling a whole group of
   * everyone's receipts would cost the square of its size.
   */
  async function concerned(before: Member, now: Member): Promise<string[]> {
    // What is read was delivered before, or is now: the lower mark that moved covers both.
    const mark = now.read > before.read ? "read" : "delivered"
    const [from, upTo] = [before[mark], now[mark]]
    const after = Math.max(from, upTo - MAX_RECEIPT_SPAN)
    const authors = await store.authors(now.conversation, after, upTo)
    const { members } = await states.get(now.conversation)
    return [...new Set([now.user, ...authors.filter((author) => members.has(author))])]
  }

  return {
    async mark(user, conversation, mark, seq, cause) {
      checkId(conversation, "conversation")
      allowance.mark(user)
      const member = await store.member(conversation, user)
      if (!member || member.until !== null) throw notFound("conversation")
      await checkSeq(conversation, seq)
      const marks = mark === "read" ? { delivered: seq, read: seq } : { delivered: seq }
      const moved = await store.moveMarks(conversation, user, marks)
      if (!moved) throw notFound("conversation")
      const { before, now } = moved
      if (now.delivered > before.delivered || now.read > before.read) {
        const { delivered, read } = now
        const receipt: Receipt = { kind: "receipt", conversation, user, delivered, read }
        onMoved(receipt, await concerned(before, now), cause)
      }
      return now
    },
  }
}
