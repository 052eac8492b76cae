import { messageOf, openLine, type ParleyEnd } from "./lines.ts"
import { openMany, openSocket, type Socket } from "./socket.ts"

/** One who writes, and many who are connected and read. */
export interface Group {
  /** Sends messages one after the other, each when all its readers have the one before. */
  send(options: { conversation: string; readers: number; messages: number }): Promise<{
    operations: number
    seconds: number
  }>
  close(): void
}

const STALLED_AFTER_MS = 20_000

export async function openGroup(sender: ParleyEnd, readers: string[]): Promise<Group> {
  const { url, document } = sender
  let current = ""
  let waitsFor = 0
  let onAll: () => void = () => {}
  let onFailure: (error: Error) => void = (error) => {
    throw error
  }
  const one = () => {
    waitsFor--
    if (waitsFor === 0) onAll()
  }
  const onEvent = (frame: string) => {
    if (messageOf(frame) === current) one()
  }
  const failed = (error: Error) => onFailure(error)

  const sockets: Socket[] = await openMany(readers.length, (index) =>
    openSocket(url, readers[index]!, document, { onEvent, onAnswer() {}, onFailure: failed }),
  )
  // The sender's own socket is one of those that are told.
  const mine = (id: string) => {
    if (id === current) one()
  }
  const line = await openLine(sender, { acknowledged: mine, arrived: mine, failed })

  return {
    async send({ conversation, readers, messages }) {
      const began = performance.now()
      for (let i = 0; i < messages; i++) {
        await new Promise<void>((resolve, reject) => {
          const late = setTimeout(
            () => reject(new Error(`${waitsFor} of ${readers} readers do not get the message.`)),
            STALLED_AFTER_MS,
          )
          onFailure = reject
          onAll = () => {
            clearTimeout(late)
            resolve()
          }
          current = Bun.randomUUIDv7()
          // Every reader, the sender's own socket, and the acknowledgement.
          waitsFor = readers + 2
          line.send(current, conversation)
        })
      }
      return { operations: messages, seconds: (performance.now() - began) / 1_000 }
    },
    close() {
      line.close()
      for (const socket of sockets) socket.close()
    },
  }
}
