import { backoff, pause, stayAway } from "./backoff.ts"
import { type DeviceOutbox, isFull } from "./device.ts"
import type { Failure } from "./errors.ts"
import type { Message, Pending } from "./model.ts"
import type { Letter } from "./outbox-db.ts"
import { uuidv7 } from "./uuidv7.ts"
import type { WriteAhead } from "./write-ahead.ts"

export type SendResult = { is: "acknowledged"; message: Message } | Failure

export interface OutboxOptions {
  /** Names the locks and the channel: one person's tabs share an outbox. */
  user: string
  db: DeviceOutbox
  /** Holds each message until the disk does. */
  writeAhead: WriteAhead
  send(letter: Letter): Promise<SendResult>
  /** Called with all that is not in a log yet, oldest first, whenever that changes. */
  show(pending: Pending[]): void
  /** The server has it: it belongs into the log now. */
  acknowledged(conversation: string, message: Message): void
  /** How long to wait before the next attempt, in ms; a test makes it short. */
  wait?(attempt: number): number
  /** Does the work while no other tab of the browser does any by that name. */
  alone?(name: string, work: () => Promise<void>): Promise<void>
}

export interface Outbox {
  /** Holds the message and shows it before it returns; then keeps it, and sends it. */
  write(conversation: string, text: string): Promise<void>
  /** Tries a refused message again, by the same id. */
  retry(id: string): Promise<void>
  discard(id: string): Promise<void>
  close(): void
}

/** From one tab to the others. */
type Notice =
  | { is: "changed"; conversation: string }
  | { is: "acknowledged"; conversation: string; message: Message }

/** By then the log has long caught up with the first of them. */
const MOST_ARRIVED = 100

/**
 * What has been written and is not acknowledged. A message is written ahead before `write` returns, is on disk before
 * it is sent (where the disk works), is sent in the order of writing, one at a time for each conversation and by one tab
 * at a time, and is kept until the server has it or refuses it. Sending twice is harmless: the id is the message's own.
 */
export function openOutbox(options: OutboxOptions): Outbox {
  const { user, db, writeAhead, send, wait = backoff, alone = withWebLock } = options
  const channel = new BroadcastChannel(`parley-outbox-${user}`)
  /** Written in this tab and on its way to the disk. */
  const fresh = new Map<string, Letter>()
  /** Acknowledged; shown until the log has caught up. */
  const arrived = new Map<string, Pending>()
  /** Conversations for which this tab has, or waits for, the lock. */
  const lanes = new Set<string>()
  let onDisk: Letter[] = []
  let wake = new AbortController()
  const end = new AbortController()
  let closed = false
  let lastAt = 0
  let putting: Promise<unknown> = Promise.resolve()

  const render = () => {
    const kept = onDisk.filter(({ id }) => !fresh.has(id))
    const open = [...kept, ...fresh.values()].filter(({ id }) => !arrived.has(id))
    if (!closed) options.show([...arrived.values(), ...open.map(pendingOf)])
  }

  const refresh = async () => {
    onDisk = await db.all()
    render()
  }

  function acknowledge(
    letter: Pick<Letter, "id" | "conversation" | "createdAt">,
    message: Message,
  ) {
    if (arrived.size > MOST_ARRIVED) arrived.delete(arrived.keys().next().value as string)
    arrived.set(letter.id, {
      id: letter.id,
      conversation: letter.conversation,
      text: message.text ?? "",
      createdAt: letter.createdAt,
      state: { is: "sent", seq: message.seq },
    })
    options.acknowledged(letter.conversation, message)
  }

  /** Sends what is waiting for one conversation, oldest first, until nothing is. One tab at a time has the lock. */
  async function flush(conversation: string): Promise<void> {
    if (lanes.has(conversation)) return
    lanes.add(conversation)
    try {
      await alone(`parley-outbox-${user}-${conversation}`, () => drain(conversation))
    } finally {
      lanes.delete(conversation)
    }
    // Something may have been written between the last look and the lock's release.
    if (!closed && (await next(conversation))) return flush(conversation)
  }

  const next = async (conversation: string) =>
    (await db.all()).find((letter) => letter.conversation === conversation && !letter.refused)

  async function drain(conversation: string): Promise<void> {
    let attempt = 0
    for (
      let letter = await next(conversation);
      letter && !closed;
      letter = await next(conversation)
    ) {
      const result = await send(letter)
      if (result.is === "later") {
        // Writing more ends the pause, but not the time for which the server has asked.
        const away = stayAway(result.afterMs ?? 0, end.signal)
        await Promise.all([pause(wait(attempt), wake.signal), away])
        attempt += 1
        continue
      }
      attempt = 0
      if (result.is === "acknowledged") {
        acknowledge(letter, result.message)
        writeAhead.drop(letter.id)
        await db.remove(letter.id)
        tell({ is: "acknowledged", conversation, message: result.message })
      } else {
        const refused = { ...letter, refused: result.message }
        if ((await putOrHold(refused)) === "disk") writeAhead.drop(letter.id)
        tell({ is: "changed", conversation })
      }
      await refresh()
    }
  }

  const find = (id: string) => fresh.get(id) ?? onDisk.find((letter) => letter.id === id)

  const tell = (notice: Notice) => {
    if (!closed) channel.postMessage(notice)
  }

  /** Ends the pause before the next attempt. */
  const hurry = () => {
    wake.abort()
    wake = new AbortController()
  }

  async function queue(letter: Letter, put = db.put): Promise<void> {
    fresh.set(letter.id, letter)
    render()
    // One after the other: what is written later must not be found, and sent, before this.
    const turn = putting.then(() => put(letter))
    putting = turn.catch(() => {})
    try {
      if ((await turn) === "disk") writeAhead.drop(letter.id)
    } catch {
      const failed = { ...letter, refused: NO_ROOM }
      writeAhead.keep(failed)
      fresh.set(letter.id, failed)
      return render()
    }
    fresh.delete(letter.id)
    await refresh()
    tell({ is: "changed", conversation: letter.conversation })
    hurry()
    void flush(letter.conversation)
  }

  /** Holds in memory what the disk has no room for. */
  async function putOrHold(letter: Letter): Promise<"disk" | "memory"> {
    try {
      return await db.put(letter)
    } catch (error) {
      if (!isFull(error)) throw error
      db.hold(letter)
      return "memory"
    }
  }

  /** What a tab that was killed has written ahead, in its order and by its ids; a living tab is about to do the same. */
  async function recover(): Promise<void> {
    const left = writeAhead.all()
    for (const letter of left) fresh.set(letter.id, letter)
    await refresh()
    for (const letter of left) {
      if (letter.refused !== undefined) db.hold(letter)
      else if (writeAhead.has(letter.id)) await queue(letter, putOrHold)
      fresh.delete(letter.id)
    }
    await refresh()
    for (const conversation of new Set(onDisk.map(({ conversation }) => conversation))) {
      void flush(conversation)
    }
  }

  channel.onmessage = async ({ data }: MessageEvent<Notice>) => {
    const { conversation } = data
    if (data.is === "acknowledged") {
      const { message } = data
      acknowledge({ id: message.id, conversation, createdAt: Date.parse(message.sentAt) }, message)
    }
    await refresh()
    // The tab that wrote it may be gone before it is sent: every tab queues for the lock, the first one sends.
    if (data.is === "changed") {
      hurry()
      void flush(conversation)
    }
  }

  const recovered = recover()

  return {
    async write(conversation, text) {
      // Later than the message before, whatever the clock says: the order of writing is read from it.
      lastAt = Math.max(Date.now(), lastAt + 1)
      const letter = { id: uuidv7(), conversation, text, createdAt: lastAt }
      writeAhead.keep(letter)
      fresh.set(letter.id, letter)
      render()
      await recovered
      await queue(letter)
    },
    async retry(id) {
      const letter = find(id)
      if (!letter) return
      const { refused: _refused, ...again } = letter
      // It is to be sent now, room or not.
      await queue(again, putOrHold)
    },
    async discard(id) {
      const letter = find(id)
      fresh.delete(id)
      writeAhead.drop(id)
      await db.remove(id)
      await refresh()
      if (letter) tell({ is: "changed", conversation: letter.conversation })
    },
    close() {
      closed = true
      end.abort()
      hurry()
      channel.close()
    },
  }
}

const NO_ROOM = "This device has no room to keep the message."

const pendingOf = ({ refused, ...letter }: Letter): Pending => ({
  ...letter,
  state: refused === undefined ? { is: "sending" } : { is: "failed", reason: refused },
})

/** Web Locks exist in secure contexts only; elsewhere two tabs may send the same message, which is stored once. */
const withWebLock = (name: string, work: () => Promise<void>): Promise<void> =>
  navigator.locks ? navigator.locks.request(name, work) : work()
