import { connect, createServer, type Socket } from "node:net"
import { LOOPBACK } from "../cli/torture/system/loopback.ts"

/**
 * A TCP proxy that misbehaves on demand, between two processes that need not know of it. One thing at a time: the last
 * call counts, and `heal` ends it.
 */
export interface TcpProxy {
  readonly port: number
  /** Resets every connection, and from now on each new one. */
  drop(): void
  /** Passes everything on so many ms late. */
  delay(ms: number): void
  /** Passes nothing on and closes nothing: both sides believe to be connected. What is sent meanwhile arrives later. */
  hang(): void
  /** As `hang`, but only for what the server sends: the client has stopped reading. */
  stall(): void
  heal(): void
  stop(): void
}

type Mode = { kind: "pass" | "drop" | "hang" | "stall" } | { kind: "delay"; ms: number }

interface Flow {
  from: Socket
  to: Socket
  /** Whether it comes from the server. */
  down: boolean
  waiting: { chunk: Buffer; due: number }[]
  bytes: number
}

/** What is kept in hand of one connection; beyond it the sender is made to wait, as by a full network. */
const MAX_WAITING = 64 * 1024

/** Listens on `port` (0: a free one) and passes everything on to `target`. */
export async function startProxy(target: number, port = 0): Promise<TcpProxy> {
  let mode: Mode = { kind: "pass" }
  const flows = new Set<Flow>()

  const holds = (flow: Flow) => mode.kind === "hang" || (mode.kind === "stall" && flow.down)

  function move(flow: Flow): void {
    for (let next = flow.waiting[0]; next && !holds(flow); next = flow.waiting[0]) {
      const wait = next.due - performance.now()
      if (wait > 0) return void setTimeout(() => move(flow), wait)
      flow.waiting.shift()
      flow.bytes -= next.chunk.length
      if (!flow.to.write(next.chunk)) flow.from.pause()
    }
    if (flow.bytes < MAX_WAITING && !flow.to.writableNeedDrain) flow.from.resume()
    if (flow.waiting.length === 0 && flow.from.readableEnded) flow.to.end()
  }

  function join(from: Socket, to: Socket, down: boolean): void {
    const flow: Flow = { from, to, down, waiting: [], bytes: 0 }
    flows.add(flow)
    from.on("data", (chunk: Buffer) => {
      const due = mode.kind === "delay" ? performance.now() + mode.ms : 0
      flow.waiting.push({ chunk, due })
      flow.bytes += chunk.length
      if (flow.waiting.length === 1 || due === 0) move(flow)
      if (flow.bytes >= MAX_WAITING) from.pause()
    })
    from.on("end", () => move(flow))
    to.on("drain", () => move(flow))
    from.on("error", () => {})
    from.on("close", () => {
      flows.delete(flow)
      // What a dead server had already sent still arrives; a reset takes everything with it.
      if (from.errored || flow.waiting.length === 0) to.destroy()
    })
  }

  const server = createServer({ noDelay: true }, (client) => {
    if (mode.kind === "drop") return void client.resetAndDestroy()
    const upstream = connect({ host: LOOPBACK, port: target, noDelay: true })
    join(client, upstream, false)
    join(upstream, client, true)
  })
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject)
    server.listen(port, LOOPBACK, resolve)
  })

  function change(to: Mode): void {
    mode = to
    for (const flow of [...flows]) {
      if (to.kind === "drop") flow.from.resetAndDestroy()
      else move(flow)
    }
  }
  const address = server.address() as { port: number }
  return {
    port: address.port,
    drop: () => change({ kind: "drop" }),
    delay: (ms) => change({ kind: "delay", ms }),
    hang: () => change({ kind: "hang" }),
    stall: () => change({ kind: "stall" }),
    heal: () => change({ kind: "pass" }),
    stop() {
      change({ kind: "drop" })
      server.close()
    },
  }
}
