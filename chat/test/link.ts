import { readSharedNext } from "@parley/link/protocol.ts"
import { connectSocket, type Frame } from "@parley/testing/frames.ts"
import { SECRET } from "./node.ts"

interface Data {
  data?: Record<string, Record<string, unknown>>
}

/** The gateway's end of the link to a node. */
export async function openLink(node: { port: number }, features?: string[]) {
  const socket = await connectSocket(`ws://127.0.0.1:${node.port}`)
  socket.send({ type: "connection_init", payload: { secret: SECRET, features } })
  const ack = await socket.frame(({ type }) => type === "connection_ack", "the acknowledgement")
  const { frames, texts, send, frame, closed } = socket
  return {
    ...{ frames, texts, send, frame, closed, ack },
    get isClosed() {
      return socket.isClosed
    },
    subscribe(id: string, user: string | undefined, query: string, variables: object = {}) {
      const payload = { query, variables, extensions: user === undefined ? {} : { token: user } }
      send({ id, type: "subscribe", payload })
    },
    /** The one result of a query or a mutation. */
    async ask(id: string, user: string | undefined, query: string, variables: object = {}) {
      this.subscribe(id, user, query, variables)
      const answer = await frame((one) => one.id === id, `the answer ${id}`)
      await frame((one) => one.id === id && one.type !== "next", `the end of ${id}`)
      return answer
    },
    complete: (id: string) => send({ id, type: "complete" }),
    /** What each subscription was given, in order, whichever way the frames came. */
    payloads(id: string): Data[] {
      return texts.flatMap((text) => {
        const shared = readSharedNext(text)
        if (shared) return shared.ids.includes(id) ? [JSON.parse(shared.payload)] : []
        const { type, id: of, payload }: Frame = JSON.parse(text)
        return type === "next" && of === id ? [payload as Data] : []
      })
    },
    async [Symbol.asyncDispose]() {
      socket.close()
      await closed
    },
  }
}
