import { connect, createServer, type Socket } from "node:net"

/**
 * Stands in front of a process, and can freeze it: connections stay, new ones are taken, and nothing passes, as with a
 * process that is stopped. Or cut it off: connections break, and none is taken.
 */
export async function startFreezer(target: number) {
  const sockets = new Set<Socket>()
  let frozen = false

  function keep(socket: Socket, other: Socket): void {
    sockets.add(socket)
    socket.on("data", (data) => other.write(data))
    socket.on("error", () => {})
    socket.on("close", () => {
      sockets.delete(socket)
      other.destroy()
    })
    if (frozen) socket.pause()
  }
  const listen = async (port: number) => {
    const server = createServer((incoming) => {
      const outgoing = connect(target, "127.0.0.1")
      keep(incoming, outgoing)
      keep(outgoing, incoming)
    })
    await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve))
    return server
  }
  let server = await listen(0)
  const { port } = server.address() as { port: number }

  return {
    url: `http://127.0.0.1:${port}`,
    freeze() {
      frozen = true
      for (const socket of sockets) socket.pause()
    },
    thaw() {
      frozen = false
      for (const socket of sockets) socket.resume()
    },
    cut() {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
    async mend() {
      server = await listen(port)
    },
  }
}
export type Freezer = Awaited<ReturnType<typeof startFreezer>>
