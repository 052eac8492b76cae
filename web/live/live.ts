import type { Client, CombinedError } from "@urql/core"
import { createGraphClient } from "./client.ts"
import { createDevice } from "./device.ts"
import { LeaveConversation, MarkDelivered, MarkRead, SendMessage, SignOut } from "./documents.ts"
import { createDrafts, type Drafts } from "./drafts.ts"
import { failureOf } from "./errors.ts"
import { isAtEnd } from "./log.ts"
import { createMarks } from "./marks.ts"
import type { Message } from "./model.ts"
import { type Outbox, openOutbox, type SendResult } from "./outbox.ts"
import { beforeLeaving, belongTo, expectSignOut, leaveSignedOut } from "./session.ts"
import { createLiveSocket, type LiveSocket } from "./socket.ts"
import { createLiveStore, type LiveState, type LiveStore } from "./store.ts"
import { createSync, type Sync } from "./sync.ts"
import { messageOf } from "./wire.ts"
import { createWriteAhead } from "./write-ahead.ts"

/** Everything of a signed-in page that is alive: made once, before the first render; does nothing until started. */
export interface Live {
  store: LiveStore
  client: Client
  socket: LiveSocket
  sync: Sync
  drafts: Drafts
  /** Begins to listen and to send; returns what ends it. Browser only. */
  start(): () => void
  /** Returns whether the outbox holds the text: from then on it is not lost. */
  send(conversation: string, text: string): boolean
  retry(message: string): void
  discard(message: string): void
  /** The newest entries have been on the screen. */
  markRead(conversation: string): void
  /** Resolves to why it did not work; to nothing where it did. */
  leave(conversation: string): Promise<CombinedError | undefined>
  signOut(): Promise<void>
}

export function createLive(initial: LiveState, moreAfter: string | null): Live {
  const store = createLiveStore(initial)
  const viewer = initial.viewer.id
  const socket = createLiveSocket()
  const client = createGraphClient(socket.client)

  const marks = createMarks({
    async send(mark, conversation, seq) {
      const document = mark === "read" ? MarkRead : MarkDelivered
      const { error } = await client
        .mutation<unknown, { conversation: string; seq: number }>(document, { conversation, seq })
        .toPromise()
      if (error && failureOf(error).is === "later") throw error
    },
  })

  /** Whatever has arrived on this device is delivered; compared by value, so that calling it often costs little. */
  function arrived(): void {
    for (const { id, position, members, unread, left } of Object.values(
      store.get().conversations,
    )) {
      const own = members[viewer]
      if (left || !own || own.delivered >= position || unread === 0) continue
      marks.move("delivered", id, position)
      store.receipt(id, viewer, { delivered: position, read: own.read })
    }
  }

  const sync = createSync({ client, store, moreAfter, arrived })

  const acknowledged = (conversation: string, message: Message) =>
    sync.satisfy(
      store.receive(conversation, {
        kind: "message",
        seq: message.seq,
        at: message.sentAt,
        by: message.sender,
        message,
      }),
    )

  const drafts = createDrafts(viewer)
  let outbox: Outbox | undefined

  return {
    store,
    client,
    socket,
    sync,
    drafts,
    start() {
      const device = createDevice(viewer)
      const writeAhead = createWriteAhead(viewer)
      const opened = openOutbox({
        user: viewer,
        db: device.outbox,
        writeAhead,
        send: (letter) => send(client, letter),
        show: store.setPending,
        acknowledged,
      })
      outbox = opened
      const eraseAll = async () => {
        opened.close()
        writeAhead.erase()
        drafts.erase()
        await device.erase()
      }
      const ended = new AbortController()
      ended.signal.addEventListener("abort", sync.start())
      ended.signal.addEventListener("abort", socket.watchNetwork())
      ended.signal.addEventListener("abort", beforeLeaving(eraseAll))
      ended.signal.addEventListener("abort", belongTo(viewer))
      listenForSignOut(ended.signal)
      return () => {
        ended.abort()
        opened.close()
      }
    },
    send(conversation, text) {
      void outbox?.write(conversation, text)
      return outbox !== undefined
    },
    retry(message) {
      void outbox?.retry(message)
    },
    discard(message) {
      void outbox?.discard(message)
    },
    markRead(conversation) {
      const known = store.get().conversations[conversation]
      const own = known?.members[viewer]
      if (!known || known.left || !own || own.read >= known.position || !isAtEnd(known)) return
      marks.move("read", conversation, known.position)
      store.receipt(conversation, viewer, { delivered: known.position, read: known.position })
    },
    async leave(conversation) {
      const { error } = await client.mutation(LeaveConversation, { conversation }).toPromise()
      if (!error) store.forget(conversation)
      return error
    },
    async signOut() {
      tellTabs("begun")
      const { error } = await client.mutation(SignOut, {}).toPromise()
      if (error && failureOf(error).is === "later") {
        tellTabs("failed")
        throw error
      }
      tellTabs("done")
      await leaveSignedOut()
    },
  }
}

async function send(
  client: Client,
  { id, conversation, text }: { id: string; conversation: string; text: string },
): Promise<SendResult> {
  const { data, error } = await client
    .mutation(SendMessage, { input: { id, conversation, text } })
    .toPromise()
  if (data?.sendMessage) return { is: "acknowledged", message: messageOf(data.sendMessage) }
  return error ? failureOf(error) : { is: "later" }
}

/** One tab signs out, all leave. */
type SignOutNotice = "begun" | "failed" | "done"
const SIGN_OUT = "parley-sign-out"

function tellTabs(notice: SignOutNotice): void {
  heed(notice)
  const channel = new BroadcastChannel(SIGN_OUT)
  channel.postMessage(notice)
  channel.close()
}

function listenForSignOut(ended: AbortSignal): void {
  const channel = new BroadcastChannel(SIGN_OUT)
  channel.onmessage = ({ data }: MessageEvent<SignOutNotice>) => {
    heed(data)
    if (data === "done") void leaveSignedOut()
  }
  ended.addEventListener("abort", () => channel.close())
}

/** The server ends the session, and all its sockets, before it answers. */
const heed = (notice: SignOutNotice): void => expectSignOut(notice !== "failed")
