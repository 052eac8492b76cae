import { expect, test } from "bun:test"
import { type Logger, silentLogger as log } from "@parley/platform/log.ts"
import { until } from "@parley/testing/until.ts"
import { type Connection, createConnection, TIMES } from "./connection.ts"

/** A peer that acknowledges, and answers pings as long as it is not frozen. */
function startPeer(options: { acknowledges?: boolean; port?: number } = {}) {
  const peer = {
    frozen: false,
    connections: 0,
    pings: 0,
    closed: 0,
    frames: [] as string[],
    sockets: new Set<Bun.ServerWebSocket<unknown>>(),
    server: undefined as unknown as ReturnType<typeof Bun.serve>,
    [Symbol.dispose]: () => void peer.server.stop(true),
  }
  peer.server = Bun.serve({
    port: options.port ?? 0,
    hostname: "127.0.0.1",
    fetch: (request, server) =>
      server.upgrade(request, { data: undefined }) ? undefined : new Response(null),
    websocket: {
      open(socket) {
        peer.connections++
        peer.sockets.add(socket)
      },
      message(socket, text) {
        const frame = String(text)
        if (peer.frozen) return
        if (frame.includes("connection_init") && options.acknowledges !== false) {
          socket.send('{"type":"connection_ack"}')
        } else if (frame === '{"type":"ping"}') {
          peer.pings++
          socket.send('{"type":"pong"}')
        } else peer.frames.push(frame)
      },
      close(socket) {
        peer.closed++
        peer.sockets.delete(socket)
      },
    },
  })
  return peer
}

/** A second of theirs is a tenth of one. */
const QUICK = { quiet: 100, doubt: 100, pong: 300, watch: 25 }

function connect(port: number, times: Partial<typeof TIMES> = QUICK) {
  const seen = { frames: [] as string[], states: [] as string[] }
  const connection = createConnection({
    name: "peer",
    url: `ws://127.0.0.1:${port}/`,
    init: { secret: "x" },
    log,
    onFrame: (frame) => seen.frames.push(frame),
    onState: (state) => seen.states.push(state),
    times,
  })
  return { connection, seen, [Symbol.dispose]: () => connection.close() }
}

const isUp = ({ connection }: { connection: Connection }) =>
  until(() => connection.state === "up", "the connection")

test("what is sent arrives, and what arrives is handed on, without the protocol's own frames", async () => {
  using peer = startPeer()
  using mine = connect(peer.server.port!)
  expect(mine.connection.send("early")).toBeFalse()
  await isUp(mine)
  expect(mine.connection.send("hello")).toBeTrue()
  await until(() => peer.frames.includes("hello"))
  for (const socket of peer.sockets) socket.send('{"type":"ping"}')
  for (const socket of peer.sockets) socket.send('{"id":"1","type":"next"}')
  await until(() => mine.seen.frames.length > 0)
  expect(mine.seen.frames).toEqual(['{"id":"1","type":"next"}'])
  await until(() => peer.frames.includes('{"type":"pong"}'))
})

test("a peer that is quiet but alive is kept; one that is frozen is dropped and found again", async () => {
  // As they are, they end a frozen connection within 5 s.
  expect(TIMES.quiet + TIMES.pong + 2 * TIMES.watch).toBeLessThanOrEqual(5_000)
  using peer = startPeer()
  using mine = connect(peer.server.port!)
  await isUp(mine)
  await until(() => peer.pings >= 3)
  expect(mine.connection.state).toBe("up")
  expect(peer.connections).toBe(1)
  peer.frozen = true
  await until(() => mine.seen.states.includes("broken"))
  expect(mine.connection.state).not.toBe("up")
  peer.frozen = false
  await isUp(mine)
  expect(mine.seen.states).toEqual(["up", "doubtful", "broken", "up"])
}, 30_000)

test("a peer that was slow to answer once is doubtful, and is not when it has answered", async () => {
  using peer = startPeer()
  using mine = connect(peer.server.port!, { ...QUICK, pong: 60_000 })
  await isUp(mine)
  peer.frozen = true
  await until(() => mine.connection.state === "doubtful")
  // It is still there to be talked to, for want of a better one.
  expect(mine.connection.send("hello")).toBeTrue()
  peer.frozen = false
  for (const socket of peer.sockets) socket.send('{"type":"pong"}')
  await isUp(mine)
  expect(mine.seen.states).toEqual(["up", "doubtful", "up"])
  expect(peer.connections).toBe(1)
})

test("a peer that never acknowledges is not up, and is tried again", async () => {
  using peer = startPeer({ acknowledges: false })
  using mine = connect(peer.server.port!, { ...QUICK, connect: 100 })
  await until(() => peer.connections >= 3)
  expect(mine.connection.state).toBe("down")
})

test("a peer that comes late or restarts is found, and its absence is said at once after a second", async () => {
  const port = (() => {
    using peer = startPeer()
    return peer.server.port!
  })()
  using mine = connect(port)
  expect(await mine.connection.afterShortBreak()).toBeFalse()
  const since = Date.now()
  expect(await mine.connection.afterShortBreak()).toBeFalse()
  expect(Date.now() - since).toBeLessThan(500)
  expect(mine.connection.state).toBe("down")
  using peer = startPeer({ port })
  await isUp(mine)
  for (const socket of peer.sockets) socket.terminate()
  await until(() => mine.seen.states.includes("broken"))
  // A short break is waited for.
  expect(await mine.connection.afterShortBreak()).toBeTrue()
}, 30_000)

test("a peer that does not know our secret is tried again, and the log is told once in a while", async () => {
  const told: unknown[] = []
  const noting: Logger = { ...log, error: (event, fields) => void told.push([event, fields]) }
  using peer = startPeer({ acknowledges: false })
  const mine = createConnection({
    name: "peer",
    carries: "events",
    url: `ws://127.0.0.1:${peer.server.port}/`,
    init: { secret: "wrong" },
    log: noting,
    onFrame() {},
    onState() {},
    times: { firstRetry: 5, lastRetry: 5 },
    tellEvery: 300,
  })
  const refuse = async (count: number) => {
    await until(() => {
      for (const socket of peer.sockets) socket.close(4403, "Forbidden")
      return peer.closed >= count
    }, "the refusals")
  }
  await refuse(10)
  const first = told.length
  expect(first).toBeGreaterThan(0)
  expect(first).toBeLessThan(peer.closed)
  const url = `ws://127.0.0.1:${peer.server.port}/`
  const about = { subgraph: "peer", url, carries: "events" }
  expect(told[0]).toEqual(["link refused: LINK_SECRET is not the peer's", about])
  await until(async () => {
    await refuse(peer.closed + 1)
    return told.length > first
  }, "the next time that the log is told")
  mine.close()
})

test("one that waits for its next try tries at once where the peer is known to be there", async () => {
  const port = (() => {
    using peer = startPeer()
    return peer.server.port!
  })()
  using mine = connect(port, { ...QUICK, firstRetry: 600_000, lastRetry: 600_000 })
  // It has been tried, in vain.
  await until(async () => !(await mine.connection.afterShortBreak()))
  using peer = startPeer({ port })
  await until(() => {
    mine.connection.hurry()
    return mine.connection.state === "up"
  }, "the connection")
  expect(peer.connections).toBe(1)
})

test("closing it is the end of it", async () => {
  using peer = startPeer()
  const mine = connect(peer.server.port!)
  await isUp(mine)
  mine.connection.close()
  expect(mine.seen.states).toEqual(["up", "broken"])
  expect(mine.connection.state).toBe("down")
  expect(await mine.connection.afterShortBreak()).toBeFalse()
  await until(() => peer.closed === 1)
  expect(peer.connections).toBe(1)
})

test("nothing more is sent to a node that leaves 32 MiB unread", async () => {
  using peer = startPeer()
  const { connection } = connect(peer.server.port!)
  await until(() => connection.state === "up", "the connection")
  const { prototype } = WebSocket
  const own = Object.getOwnPropertyDescriptor(prototype, "bufferedAmount")!
  let waiting = 32 * 1024 * 1024
  Object.defineProperty(prototype, "bufferedAmount", { ...own, get: () => waiting })
  try {
    expect(connection.send("fits")).toBe(true)
    waiting += 1
    expect(connection.send("does not")).toBe(false)
  } finally {
    Object.defineProperty(prototype, "bufferedAmount", own)
  }
  await until(() => peer.frames.length === 1, "the frame")
  connection.close()
})
