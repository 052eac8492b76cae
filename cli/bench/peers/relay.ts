/**
 * The least that any chat server does: takes a frame from one of two sockets, says so, and hands it to the other.
 * Nothing is parsed, checked or stored. A process of its own, beside which `flow` is measured.
 */
interface Data {
  pair: string
}

const sides = new Map<string, Bun.ServerWebSocket<Data>[]>()

const server = Bun.serve<Data>({
  port: 0,
  hostname: "127.0.0.1",
  fetch(request, server) {
    const { pathname } = new URL(request.url)
    if (server.upgrade(request, { data: { pair: pathname } })) return undefined
    return new Response("A WebSocket, please.\n", { status: 400 })
  },
  websocket: {
    open(socket) {
      const { pair } = socket.data
      sides.set(pair, [...(sides.get(pair) ?? []), socket])
    },
    message(socket, frame) {
      const text = String(frame)
      socket.sendText(`a${text.slice(1, 37)}`)
      for (const side of sides.get(socket.data.pair) ?? []) {
        if (side !== socket) side.sendText(text)
      }
    },
    close({ data: { pair } }) {
      sides.delete(pair)
    },
  },
})
process.stdout.write(`listening ${server.port}\n`)
process.once("SIGTERM", () => process.exit(0))
