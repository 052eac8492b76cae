/**
 * A client's end of a graphql-transport-ws connection, no more of it than measuring takes: it tells frames apart by their
 * first letters and parses none, as the load must cost little beside what is measured. Elsewhere, testing/socket.ts.
 */
export interface Socket {
  send(frame: string): void
  close(): void
}

export interface SocketListener {
  /** A `next` frame of the subscription `EVENTS_ID`. */
  onEvent(frame: string): void
  /** A `next` frame of another operation. */
  onAnswer(id: string, frame: string): void
  /** Something that must not happen in a measurement. */
  onFailure(error: Error): void
}

const SUBPROTOCOL = "graphql-transport-ws"
/** One letter, so that a frame's kind shows at a fixed place: `{"id":"e","type":"next",…`. */
const EVENTS_ID = "e"
const EVENT_START = `{"id":"${EVENTS_ID}","type":"next"`
const ANSWER_MARK = '","type":"next"'
const COMPLETE_MARK = '","type":"complete"'
const ID_AT = 7

/**
 * What the web app subscribes to: it selects no field whose value depends on the viewer. `sender` is what is asked of
 * a message's sender: `id` alone comes with the message, more has to be fetched from auth.
 */
export const eventsDocument = (sender = "id") => `subscription Events($after: [PositionInput!]) {
  events(after: $after) {
    __typename
    ... on LogEvent { conversation { id } seq at by { id } }
    ... on MessageSent { message { id seq text sentAt sender { ${sender} } } }
    ... on MembersChanged { joined { id username name } left { id } promoted { id } demoted { id } }
    ... on ReceiptMoved { conversation { id } user { id } delivered read }
    ... on Ready { recovered reload { id } }
  }
}`

/** Connects as whoever the token says, subscribes, and resolves once the subscription is live. */
export function openSocket(
  url: string,
  token: string,
  document: string,
  listener: SocketListener,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    let closing = false
    let ready = false
    const socket = new WebSocket(`${url.replace(/^http/, "ws")}/graphql`, SUBPROTOCOL)
    const fail = (error: Error) => {
      reject(error)
      listener.onFailure(error)
    }
    socket.onopen = () => {
      const payload = { authorization: `Bearer ${token}` }
      socket.send(JSON.stringify({ type: "connection_init", payload }))
    }
    socket.onmessage = ({ data }) => {
      const frame = data as string
      if (frame.startsWith(EVENT_START)) {
        if (ready) listener.onEvent(frame)
        else if (frame.includes('"__typename":"Ready"')) {
          ready = true
          resolve({
            send: (frame) => socket.send(frame),
            close() {
              closing = true
              socket.close(1000)
            },
          })
        }
        return
      }
      const end = frame.indexOf('"', ID_AT)
      if (frame.startsWith(ANSWER_MARK, end)) listener.onAnswer(frame.slice(ID_AT, end), frame)
      else if (frame.startsWith(COMPLETE_MARK, end)) return
      else if (frame.startsWith('{"type":"connection_ack"')) {
        const payload = { query: document, operationName: "Events" }
        socket.send(JSON.stringify({ id: EVENTS_ID, type: "subscribe", payload }))
      } else if (frame.startsWith('{"type":"ping"')) socket.send('{"type":"pong"}')
      else fail(new Error(`Unexpected frame: ${frame}`))
    }
    socket.onclose = ({ code, reason }) => {
      if (!closing) fail(new Error(`The socket was closed: ${code} ${reason}`))
    }
  })
}

/** Opens many, so many at a time: a listen queue is only so long. */
export async function openMany<T>(
  count: number,
  open: (index: number) => Promise<T>,
  atOnce = 50,
): Promise<T[]> {
  const opened: T[] = []
  let next = 0
  const worker = async () => {
    while (next < count) {
      const index = next++
      opened[index] = await open(index)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
  return opened
}
