import { openSocket } from "./socket.ts"

/** One end of a chat, as the pump sees it: what is sent here arrives at the other end. */
export interface Line {
  /** Sends a message of that id, to another conversation than its own where one is named. */
  send(id: string, conversation?: string): void
  close(): void
}

export interface LineListener {
  /** The message is stored, says whoever took it. */
  acknowledged(id: string): void
  /** A message has arrived at this end. */
  arrived(id: string): void
  failed(error: Error): void
}

export interface ParleyEnd {
  kind: "parley"
  url: string
  token: string
  conversation: string
  /** The subscription's document. */
  document: string
  /** How messages are sent: on the socket, or as the web app does, by HTTP. */
  over: "socket" | "http"
}

export interface RelayEnd {
  kind: "relay"
  url: string
  pair: string
}

export type End = ParleyEnd | RelayEnd

const TEXT = "Shall we meet at the station at half past six this evening?"
const SEND = `mutation SendMessage($input: SendMessageInput!) {
  sendMessage(input: $input) { id seq text sentAt sender { id } }
}`
const MESSAGE_MARK = '"message":{"id":"'
const UUID_LENGTH = 36

/** The message that an event tells of; undefined for an event of another kind. */
export function messageOf(frame: string): string | undefined {
  const at = frame.indexOf(MESSAGE_MARK)
  if (at < 0) return undefined
  return frame.slice(at + MESSAGE_MARK.length, at + MESSAGE_MARK.length + UUID_LENGTH)
}

export const openLine = (end: End, listener: LineListener): Promise<Line> =>
  end.kind === "parley" ? openParleyLine(end, listener) : openRelayLine(end, listener)

async function openParleyLine(end: ParleyEnd, listener: LineListener): Promise<Line> {
  const acknowledge = (id: string, answer: string) => {
    if (answer.includes('"sendMessage":{')) listener.acknowledged(id)
    else listener.failed(new Error(`A message was refused: ${answer}`))
  }
  const socket = await openSocket(end.url, end.token, end.document, {
    onEvent(frame) {
      const id = messageOf(frame)
      if (id !== undefined) listener.arrived(id)
    },
    onAnswer: acknowledge,
    onFailure: listener.failed,
  })

  const params = (id: string, conversation = end.conversation) =>
    `{"query":${QUERY},"variables":{"input":{"id":"${id}","conversation":"${conversation}","text":"${TEXT}"}}}`
  const headers = {
    "content-type": "application/json",
    accept: "application/graphql-response+json",
    authorization: `Bearer ${end.token}`,
  }
  const post = async (id: string, conversation?: string) => {
    const request = { method: "POST", headers, body: params(id, conversation) }
    const response = await fetch(`${end.url}/graphql`, request)
    acknowledge(id, await response.text())
  }
  return {
    send(id, conversation) {
      if (end.over === "http") void post(id, conversation).catch(listener.failed)
      else socket.send(`{"id":"${id}","type":"subscribe","payload":${params(id, conversation)}}`)
    },
    close: socket.close,
  }
}
const QUERY = JSON.stringify(SEND)

/** The relay's frames: `m<id><text>` there and on to the other end, `a<id>` back. */
function openRelayLine(end: RelayEnd, listener: LineListener): Promise<Line> {
  return new Promise((resolve, reject) => {
    let closing = false
    const socket = new WebSocket(`${end.url.replace(/^http/, "ws")}/${end.pair}`)
    socket.onopen = () => {
      resolve({
        send: (id) => socket.send(`m${id}${TEXT}`),
        close() {
          closing = true
          socket.close(1000)
        },
      })
    }
    socket.onmessage = ({ data }) => {
      const frame = data as string
      const id = frame.slice(1, 1 + UUID_LENGTH)
      if (frame.startsWith("a")) listener.acknowledged(id)
      else listener.arrived(id)
    }
    socket.onclose = ({ code }) => {
      if (closing) return
      reject(new Error(`The relay closed: ${code}`))
      listener.failed(new Error(`The relay closed: ${code}`))
    }
  })
}
