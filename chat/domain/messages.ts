import type { Clock } from "@parley/platform/clock.ts"
import { notFound, ParleyError } from "@parley/platform/errors.ts"
import type { RequestContext } from "@parley/platform/request-context.ts"
import type { Store } from "../store/store.ts"
import type { Allowance } from "./allowance.ts"
import type { Appender } from "./appender.ts"
import { checkId, checkMessageId, checkText } from "./checks.ts"
import type { MessageEntry } from "./entry.ts"
import type { StoredBytes } from "./stored-bytes.ts"

export interface Sending {
  id: string
  conversation: string
  text?: string | null
}

export interface Messages {
  /**
   * Stores a message, once, however often and wherever it is sent: the client's id is what makes a retry safe.
   * Resolves when the message is durable.
   * @throws ParleyError NOT_FOUND where the sender is no member; CONFLICT where the id names another message;
   * RATE_LIMITED where the sender sends too much.
   */
  send(sender: string, sending: Sending, cause?: RequestContext): Promise<MessageEntry>
}

export interface MessagesOptions {
  store: Store
  appender: Appender
  clock: Clock
  allowance: Pick<Allowance, "send">
  storedBytes: Pick<StoredBytes, "check" | "add">
}

type Message = Required<{ [K in keyof Sending]: string }> & { sender: string }

export function createMessages(options: MessagesOptions): Messages {
  const { store, appender, clock, allowance, storedBytes } = options
  /** What is being stored right now, so that a retry that overtakes its original waits for it. */
  const underWay = new Map<string, { message: Message; stored: Promise<MessageEntry> }>()

  /** The log refuses an id that it has, so nothing need be looked up before the write. */
  async function storeOnce(
    message: Message,
    bytes: number,
    cause: RequestContext | undefined,
  ): Promise<MessageEntry> {
    const { id, text, conversation, sender } = message
    let mayStore = false
    try {
      storedBytes.check(sender, bytes)
      mayStore = true
      return await appender.append(conversation, {
        by: sender,
        bytes,
        changesMembers: false,
        cause,
        check(state) {
          if (!state.members.has(sender)) throw notFound("conversation")
          return { kind: "message", by: sender, id, text }
        },
        result(_picture, entry) {
          storedBytes.add(sender, bytes)
          return entry as MessageEntry
        },
        taken: (stored) => sameOrConflict(message, stored),
      })
    } catch (error) {
      // A sender who has left since, or may store no more, may still ask what became of a message: it is stored, or not.
      const hasLeft = error instanceof ParleyError && error.code === "NOT_FOUND"
      if (mayStore && !hasLeft) throw error
      const [stored] = await store.messagesById([id])
      if (!stored || stored.by !== sender) throw error
      return sameOrConflict(message, stored)
    }
  }

  return {
    async send(sender, sending, cause) {
      const message = {
        id: checkMessageId(sending.id, clock.now()),
        conversation: checkId(sending.conversation, "conversation"),
        text: checkText(sending.text),
        sender,
      }
      const bytes = Buffer.byteLength(message.text)
      allowance.send(sender, bytes)
      const before = underWay.get(message.id)
      if (before) {
        if (isSame(message, before.message)) return before.stored
        throw idTaken()
      }
      const stored = storeOnce(message, bytes, cause)
      underWay.set(message.id, { message, stored })
      try {
        return await stored
      } finally {
        underWay.delete(message.id)
      }
    },
  }
}

const isSame = (a: Message, b: Message) =>
  a.sender === b.sender && a.conversation === b.conversation && a.text === b.text

function sameOrConflict(message: Message, stored: MessageEntry): MessageEntry {
  if (isSame(message, { ...stored, sender: stored.by })) return stored
  throw idTaken()
}

const idTaken = () => new ParleyError("CONFLICT", "That id already names another message.")
