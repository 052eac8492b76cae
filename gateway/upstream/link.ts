import type { Cause } from "@parley/service/cause.ts"
import { type ErrorCode, ParleyError, unavailable } from "@parley/service/errors.ts"
import { CAUSE, type LinkExtensions, readSharedNext, SHARED_NEXT } from "@parley/service/link.ts"
import type { Logger } from "@parley/service/log.ts"
import { gradually } from "../gradually.ts"
import { type ConnectionState, createConnection, type TIMES } from "./connection.ts"
import { readNext } from "./frames.ts"

/** What a subgraph is asked. */
export interface Ask {
  query: string
  operationName?: string
  variables?: Record<string, unknown>
  /** It changes nothing: asked of two nodes it does no harm. */
  repeatable?: boolean
}

/** There will be no answer from this node. What was not sent may be asked of another, and so may what is repeatable. */
export class Unanswered extends ParleyError {
  constructor(
    message: string,
    readonly sent: boolean,
  ) {
    super("UNAVAILABLE", message)
  }
}

export interface WireError {
  message: string
  path?: (string | number)[]
  locations?: { line: number; column: number }[]
  extensions?: { code?: ErrorCode; [detail: string]: unknown }
}

/** The receiving end of a subscription on the link. */
export interface Upstreamed {
  /** Whose it is. */
  readonly user: string | undefined
  /** One result, as the JSON that it came in. */
  receive(payload: string): void
  /** The subgraph ended it, with errors or without. */
  ended(errors: readonly WireError[]): void
  /** The connection is gone, and the subscription with it. */
  lost(): void
  /** It is to end here, and to be opened anew, which takes it to another node. */
  moved(): void
}

export interface Link<S extends Upstreamed> {
  readonly state: ConnectionState
  /** Requests and subscriptions that it has under way. */
  readonly load: number
  /** The subscriptions among these. */
  readonly subscribed: number
  /** What waits for the node to read it. */
  readonly waitingBytes: number
  /**
   * Asks once.
   * @returns the result's JSON, `{"data":…}` or `{"errors":[…]}`.
   * @throws ParleyError UNAVAILABLE where no answer comes in time; the node's own being Unanswered.
   */
  request(ask: Ask, extensions: LinkExtensions): Promise<string>
  /** Starts a subscription and returns its id on the link; undefined where that cannot be said to the node now. */
  subscribe(ask: Ask, extensions: LinkExtensions, to: S): string | undefined
  unsubscribe(id: string): void
  /** Those of this node, in the order in which they were opened. */
  subscriptions(): IterableIterator<S>
  /** Gives up the requests that may be repeated on another node: each is Unanswered. */
  release(): void
  close(): void
}

export interface LinkOptions<S extends Upstreamed> {
  subgraph: string
  /** http(s); the endpoint is `/graphql` there. */
  url: string
  secret: string
  log: Logger
  /** One result for many subscriptions, all of this link. */
  onShared(to: S[], payload: string, cause: Cause | undefined): void
  wantsCauses?: boolean
  onState(state: Exclude<ConnectionState, "down">): void
  /** How long an answer may take, in ms. */
  timeout?: number
  times?: Partial<typeof TIMES>
}

interface Request {
  deadline: number
  repeatable: boolean
  resolve(payload: string): void
  reject(error: Error): void
}

const TIMEOUT_MS = 5_000
const SWEEP_EVERY_MS = 250
/** Requests in flight on one link; more than a subgraph answers within the time-out. */
const MAX_IN_FLIGHT = 20_000

/** One graphql-transport-ws connection to one subgraph node, for the operations of all users (service/link.ts). */
export function createLink<S extends Upstreamed>(options: LinkOptions<S>): Link<S> {
  const { subgraph, onShared, timeout = TIMEOUT_MS } = options
  const requests = new Map<string, Request>()
  const subscriptions = new Map<string, S>()
  let lastId = 0

  const features = options.wantsCauses ? [SHARED_NEXT, CAUSE] : [SHARED_NEXT]
  const connection = createConnection({
    name: subgraph,
    url: `${options.url.replace(/^http/, "ws").replace(/\/$/, "")}/graphql`,
    init: { secret: options.secret, features },
    log: options.log,
    times: options.times,
    onFrame,
    onState(state) {
      if (state === "broken") onDown()
      options.onState(state)
    },
  })
  const down = (sent: boolean) =>
    new Unanswered(`The ${subgraph} service cannot be reached just now.`, sent)

  function onDown(): void {
    const gone = [...requests.values()]
    const lost = [...subscriptions.values()]
    requests.clear()
    subscriptions.clear()
    for (const request of gone) request.reject(down(true))
    void gradually(lost, (subscription) => subscription.lost())
  }

  // One timer for all: requests are in the order in which they were made, so the oldest come first.
  const sweeping = setInterval(() => {
    const now = performance.now()
    for (const [id, request] of requests) {
      if (request.deadline > now) break
      requests.delete(id)
      connection.send(completion(id))
      request.reject(unavailable(`The ${subgraph} service did not answer in time.`))
    }
  }, SWEEP_EVERY_MS)
  sweeping.unref()

  function onFrame(frame: string): void {
    const shared = readSharedNext(frame)
    if (shared) {
      const to: S[] = []
      for (const id of shared.ids) {
        const subscription = subscriptions.get(id)
        if (subscription) to.push(subscription)
      }
      if (to.length > 0) onShared(to, shared.payload, shared.cause)
      return
    }
    const next = readNext(frame)
    if (next) {
      onNext(next.id, next.payload)
      return
    }
    const message = JSON.parse(frame)
    if (message.type === "next") onNext(message.id, JSON.stringify(message.payload))
    else if (message.type === "error") onEnd(message.id, message.payload)
    else if (message.type === "complete") onEnd(message.id, [])
  }

  function onNext(id: string, payload: string): void {
    const request = requests.get(id)
    if (request) {
      requests.delete(id)
      request.resolve(payload)
    } else subscriptions.get(id)?.receive(payload)
  }

  function onEnd(id: string, errors: WireError[]): void {
    const request = requests.get(id)
    if (request) {
      requests.delete(id)
      if (errors.length > 0) request.resolve(JSON.stringify({ errors }))
      else request.reject(unavailable(`The ${subgraph} service gave no answer.`))
      return
    }
    const subscription = subscriptions.get(id)
    subscriptions.delete(id)
    subscription?.ended(errors)
  }

  async function open(): Promise<void> {
    if (!(await connection.afterShortBreak())) throw down(false)
    if (requests.size >= MAX_IN_FLIGHT) {
      throw new Unanswered(`The ${subgraph} service has too much to do just now.`, false)
    }
  }

  function send(id: string, { query, operationName, variables }: Ask, extensions: LinkExtensions) {
    const payload = { query, operationName, variables, extensions }
    return connection.send(JSON.stringify({ id, type: "subscribe", payload }))
  }

  const isConnected = () => connection.state === "up" || connection.state === "doubtful"

  return {
    get state() {
      return connection.state
    },
    get load() {
      return requests.size + subscriptions.size
    },
    get subscribed() {
      return subscriptions.size
    },
    get waitingBytes() {
      return connection.waitingBytes
    },
    async request(ask, extensions) {
      if (!isConnected() || requests.size >= MAX_IN_FLIGHT) await open()
      const id = String(++lastId)
      if (!send(id, ask, extensions)) throw down(false)
      const { repeatable = false } = ask
      return new Promise((resolve, reject) => {
        requests.set(id, { deadline: performance.now() + timeout, repeatable, resolve, reject })
      })
    },
    subscribe(ask, extensions, to) {
      // Asked again and again while chat is away: not worth writing out what may be long.
      if (!isConnected()) return undefined
      const id = String(++lastId)
      if (!send(id, ask, extensions)) return undefined
      subscriptions.set(id, to)
      return id
    },
    unsubscribe(id) {
      if (subscriptions.delete(id)) connection.send(completion(id))
    },
    subscriptions: () => subscriptions.values(),
    release() {
      for (const [id, request] of requests) {
        if (!request.repeatable) continue
        requests.delete(id)
        connection.send(completion(id))
        request.reject(down(true))
      }
    },
    close() {
      clearInterval(sweeping)
      connection.close()
    },
  }
}

const completion = (id: string) => `{"id":"${id}","type":"complete"}`
