import { connect, createServer, type Socket } from "node:net"

/** What the line does to whatever goes over it. */
export type LineState =
  | "passes"
  /** The other end does not answer: connections are closed at once, those that are open too. */
  | "refuses"
  /** Packets are swallowed, in both directions; nothing is closed. */
  | "freezes"

/**
 * A network between a browser and Parley that a test can break, on a port of its own. Chromium's own switch leaves open
 * WebSockets alive, and can neither refuse nor freeze.
 */
export async function openLine(to: string) {
  const target = new URL(to)
  const sockets = new Set<Socket>()
  let state: LineState = "passes"

  const server = createServer((near) => {
    if (state === "refuses") return near.destroy()
    const far = connect(Number(target.port), target.hostname)
    for (const socket of [near, far]) {
      sockets.add(socket)
      socket.on("error", () => {})
      socket.on("close", () => {
        sockets.delete(socket)
        near.destroy()
        far.destroy()
      })
      if (state === "freezes") socket.pause()
    }
    near.on("data", (data) => void far.write(data))
    far.on("data", (data) => void near.write(data))
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const { port } = server.address() as { port: number }

  return {
    url: `http://${target.hostname}:${port}`,
    set(next: LineState): void {
      state = next
      for (const socket of sockets) {
        if (next === "refuses") socket.destroy()
        else if (next === "freezes") socket.pause()
        else socket.resume()
      }
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}
export type Line = Awaited<ReturnType<typeof openLine>>
