import { readSharedNext } from "@parley/link/protocol.ts"
import { until } from "@parley/testing/until.ts"
import { GRAPHQL_TRANSPORT_WS_PROTOCOL } from "graphql-ws"
import { SECRET } from "./node.ts"

export interface Frame {
  type: string
  id?: string
  ids?: string[]
  payload?: unknown
}

/** A bare socket to a node's endpoint: frames as they are, in both directions. */
export async function openSocket(node: { port: number }) {
  const url = `ws://127.0.0.1:${node.port}/graphql`
  const socket = new WebSocket(url, GRAPHQL_TRANSPORT_WS_PROTOCOL)
  const raw: string[] = []
  const frames: Frame[] = []
  let closed: { code: number; reason: string } | undefined
  socket.onmessage = ({ data }) => {
    raw.push(String(data))
    frames.push(JSON.parse(String(data)))
  }
  socket.onclose = ({ code, reason }) => {
    closed = { code, reason }
  }
  await new Promise<void>((resolve, reject) => {
    socket.onopen = () => resolve()
    socket.onerror = () => reject(new Error(`no connection to ${url}`))
  })

  return {
    raw,
    frames,
    send: (frame: unknown) =>
      socket.send(typeof frame === "string" ? frame : JSON.stringify(frame)),
    /** The first frame that fits, once it has come. */
    async frame(fits: (frame: Frame) => boolean, what = "a frame"): Promise<Frame> {
      await until(() => frames.some(fits) || closed !== undefined, what)
      const found = frames.find(fits)
      if (!found) throw new Error(`closed with ${closed?.code} while waiting for ${what}`)
      return found
    },
    /** How the other end closed it, once it has. */
    async closing() {
      await until(() => closed !== undefined, "the end of the socket")
      return closed!
    },
    get isOpen() {
      return closed === undefined
    },
    async [Symbol.asyncDispose]() {
      socket.close()
      await until(() => closed !== undefined, "the end of the socket")
    },
  }
}

/** The gateway's end of the link to a node. */
export async function openLink(node: { port: number }, features?: string[]) {
  const socket = await openSocket(node)
  socket.send({ type: "connection_init", payload: { secret: SECRET, features } })
  const ack = await socket.frame(({ type }) => type === "connection_ack", "the acknowledgement")
  return {
    ...socket,
    ack,
    subscribe(id: string, user: string | undefined, query: string, variables: object = {}) {
      const payload = { query, variables, extensions: user === undefined ? {} : { token: user } }
      socket.send({ id, type: "subscribe", payload })
    },
    /** The one result of a query or a mutation. */
    async ask(id: string, user: string | undefined, query: string, variables: object = {}) {
      this.subscribe(id, user, query, variables)
      const answer = await socket.frame((frame) => frame.id === id, `the answer ${id}`)
      await socket.frame((frame) => frame.id === id && frame.type !== "next", `the end of ${id}`)
      return answer
    },
    complete: (id: string) => socket.send({ id, type: "complete" }),
    /** What each subscription was given, in order, whichever way the frames came. */
    payloads(id: string): { data?: Record<string, Record<string, unknown>> }[] {
      return socket.raw.flatMap((text) => {
        const shared = readSharedNext(text)
        if (shared) return shared.ids.includes(id) ? [JSON.parse(shared.payload)] : []
        const frame: Frame = JSON.parse(text)
        return frame.type === "next" && frame.id === id ? [frame.payload] : []
      })
    },
  }
}
