/**
 * A client that comes back: what a fleet of them goes through when what they are connected to is killed. It speaks
 * frames by itself: thousands of sockets connect at once, and each waits for its turn, however long that takes.
 */

export interface FleetOptions {
  /** The gateway of the beginning, and the one that is left. */
  urls: readonly [string, string]
  /** One for each socket. */
  tokens: string[]
  /** Some conversation that each of them is in: every client resumes there. */
  conversations: string[]
}

export interface Comeback {
  /** In ms since the first socket was lost, for each client: until its events were recovered. */
  recovered: number[]
  /** How often which close code or error was met on the way. */
  met: Record<string, number>
  /** Those that had to reload, which nobody should have to. */
  reloaded: number
  /** Events that came twice, or out of order. */
  wrong: number
}

export interface Fleet {
  /** Resolves once all are live. */
  open(): Promise<void>
  /** Resolves once all have come back after having lost their sockets. */
  comeback(): Promise<Comeback>
  close(): void
}

const SUBPROTOCOL = "graphql-transport-ws"
/** As graphql-ws clients do: twice as long each time, with jitter. */
const FIRST_RETRY_MS = 500
const LAST_RETRY_MS = 8_000
/** Closed by the client itself, to come back later: the error before it says why. */
const OURS = 4000
const OPENING_AT_ONCE = 50
const DOCUMENT = `subscription Events($after: [PositionInput!]) {
  events(after: $after) {
    __typename
    ... on LogEvent { conversation { id } seq }
    ... on Ready { recovered reload { id } }
  }
}`

export function openFleet({ urls, tokens, conversations }: FleetOptions): Fleet {
  const result: Comeback = { recovered: [], met: {}, reloaded: 0, wrong: 0 }
  const back = Promise.withResolvers<Comeback>()
  let lostAt = 0
  let closing = false
  const sockets = new Map<number, WebSocket>()

  const meet = (what: string) => {
    result.met[what] = (result.met[what] ?? 0) + 1
  }

  /** Keeps one client connected; `onLive` is called each time that it is up to date. */
  function keep(index: number, onLive: () => void): void {
    const conversation = conversations[index]!
    let position = 0
    let retryIn = FIRST_RETRY_MS
    let lives = 0

    function connect(): void {
      const url = urls[lives === 0 ? 0 : 1].replace(/^http/, "ws")
      const socket = new WebSocket(`${url}/graphql`, SUBPROTOCOL)
      sockets.set(index, socket)
      socket.onopen = () => {
        const payload = { authorization: `Bearer ${tokens[index]}` }
        socket.send(JSON.stringify({ type: "connection_init", payload }))
      }
      socket.onmessage = ({ data }) => onFrame(socket, JSON.parse(String(data)))
      socket.onclose = ({ code }) => {
        if (closing) return
        lostAt ||= performance.now()
        lives += 1
        if (code !== OURS) meet(`close ${code}`)
        setTimeout(connect, retryIn * (0.5 + Math.random()))
        retryIn = Math.min(retryIn * 2, LAST_RETRY_MS)
      }
    }

    // biome-ignore lint/suspicious/noExplicitAny: a frame is looked into here and nowhere else.
    function onFrame(socket: WebSocket, frame: any): void {
      if (frame.type === "connection_ack") {
        const variables = position > 0 ? { after: [{ conversation, seq: position }] } : {}
        const payload = { query: DOCUMENT, variables }
        socket.send(JSON.stringify({ id: "e", type: "subscribe", payload }))
      } else if (frame.type === "ping") socket.send('{"type":"pong"}')
      else if (frame.type === "error") {
        meet(`error ${frame.payload[0]?.extensions?.code}`)
        socket.close(OURS)
      } else if (frame.type === "next") onEvent(frame.payload.data?.events)
    }

    // biome-ignore lint/suspicious/noExplicitAny: as above.
    function onEvent(event: any): void {
      if (event?.__typename === "Ready") {
        if (!event.recovered) result.reloaded += 1
        retryIn = FIRST_RETRY_MS
        onLive()
      } else if (event?.conversation?.id === conversation && event.seq !== undefined) {
        if (position > 0 && event.seq !== position + 1) result.wrong += 1
        position = event.seq
      }
    }
    connect()
  }

  return {
    async open() {
      let next = 0
      const worker = async () => {
        while (next < tokens.length) {
          const index = next++
          const live = Promise.withResolvers<void>()
          keep(index, () => {
            live.resolve()
            if (lostAt === 0) return
            result.recovered.push(performance.now() - lostAt)
            if (result.recovered.length === tokens.length) back.resolve(result)
          })
          await live.promise
        }
      }
      await Promise.all(Array.from({ length: OPENING_AT_ONCE }, worker))
    },
    comeback: () => back.promise,
    close() {
      closing = true
      for (const socket of sockets.values()) socket.close(1000)
    },
  }
}
