import { connectSocket, type TestSocket } from "@parley/testing/frames.ts"

const EVENTS = `subscription ($after: [PositionInput!]) {
  events(after: $after) { ... on MessageSent { seq } }
}`

/**
 * A client as docs/protocol.md has it: it keeps its position; where its subscription ends with a retryable error it
 * subscribes again on the same socket, and where its socket ends it comes back, to the next of the doors.
 */
export async function startReader(
  doors: readonly { url: string }[],
  authorization: () => Promise<string>,
) {
  const reader = {
    /** The seqs of what happened, each once. */
    seen: [] as number[],
    /** Close codes of its sockets. */
    closed: [] as number[],
    /** How often its subscription was ended for it to subscribe again. */
    ended: 0,
    /** What should not have happened. */
    refused: [] as unknown[],
    stop() {
      stopped = true
      socket.terminate()
    },
  }
  let stopped = false
  let turn = 0
  let count = 0
  let socket = await connect()
  void read()

  async function connect(): Promise<TestSocket> {
    const opened = await connectSocket(doors[turn++ % doors.length]!.url.replace("http", "ws"))
    opened.send({ type: "connection_init", payload: { authorization: await authorization() } })
    await opened.next("connection_ack")
    subscribe(opened)
    return opened
  }

  function subscribe(on: TestSocket): void {
    const after = [{ conversation: "c1", seq: reader.seen.at(-1) ?? 0 }]
    on.subscribe(String(++count), EVENTS, { after })
  }

  async function read(): Promise<void> {
    while (!stopped) {
      const frame = await socket.any()
      if (!frame) {
        const { code } = await socket.closed
        if (stopped) return
        reader.closed.push(code)
        do {
          const again = await connect().catch(() => Bun.sleep(20))
          if (again) socket = again
        } while (!stopped && socket.isClosed)
      } else if (frame.type === "next") take(frame.payload as never)
      else if (frame.type === "error") {
        const [error] = frame.payload as { extensions: { retryable: boolean } }[]
        if (error?.extensions.retryable) {
          reader.ended += 1
          subscribe(socket)
        } else reader.refused.push(error)
      }
    }
  }

  function take({ data }: { data: { events: { seq: number } } }): void {
    const { seq } = data.events
    const next = (reader.seen.at(-1) ?? 0) + 1
    if (seq > next) reader.refused.push(`a hole before ${seq}`)
    if (seq === next) reader.seen.push(seq)
  }
  return reader
}
export type Reader = Awaited<ReturnType<typeof startReader>>
