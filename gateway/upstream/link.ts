import { type ErrorCode, unavailable } from "@parley/service/errors.ts"
import { type LinkExtensions, readSharedNext, SHARED_NEXT } from "@parley/service/link.ts"
import type { Logger } from "@parley/service/log.ts"
import { createConnection } from "./connection.ts"
import { readNext } from "./frames.ts"

/** What a subgraph is asked. */
export interface Ask {
  query: string
  operationName?: string
  variables?: Record<string, unknown>
}

export interface WireError {
  message: string
  path?: (string | number)[]
  locations?: { line: number; column: number }[]
  extensions?: { code?: ErrorCode; [detail: string]: unknown }
}

/** The receiving end of a subscription on the link. */
export interface Upstreamed {
  /** One result, as the JSON that it came in. */
  receive(payload: string): void
  /** The subgraph ended it, with errors or without. */
  ended(errors: readonly WireError[]): void
  /** The connection is gone, and the subscription with it. */
  lost(): void
}

export interface Link<S extends Upstreamed> {
  readonly subgraph: string
  /** Whether the subgraph is being talked to right now. */
  readonly up: boolean
  /**
   * Asks once.
   * @returns the result's JSON, `{"data":…}` or `{"errors":[…]}`.
   * @throws ParleyError UNAVAILABLE where the link is down, goes down, or no answer comes in time.
   */
  request(ask: Ask, extensions: LinkExtensions): Promise<string>
  /**
   * Starts a subscription and returns its id on the link. While the link is down it waits, for 10 s at most: a client
   * that resumes should not have to guess when.
   * @throws ParleyError UNAVAILABLE
   */
  subscribe(ask: Ask, extensions: LinkExtensions, to: S): Promise<string>
  unsubscribe(id: string): void
  close(): void
}

export interface LinkOptions<S extends Upstreamed> {
  subgraph: string
  /** http(s); the endpoint is `/graphql` there. */
  url: string
  secret: string
  log: Logger
  /** One result for many subscriptions, all of this link. */
  onShared(to: S[], payload: string): void
  /** How long an answer may take, in ms. */
  timeout?: number
}

interface Request {
  deadline: number
  resolve(payload: string): void
  reject(error: Error): void
}

const TIMEOUT_MS = 5_000
const SUBSCRIBE_WITHIN_MS = 10_000
const SWEEP_EVERY_MS = 250
/** Requests in flight on one link; more than a subgraph answers within the time-out. */
const MAX_IN_FLIGHT = 20_000

/** One graphql-transport-ws connection to one subgraph node, for the operations of all users (service/link.ts). */
export function createLink<S extends Upstreamed>(options: LinkOptions<S>): Link<S> {
  const { subgraph, onShared, timeout = TIMEOUT_MS } = options
  const requests = new Map<string, Request>()
  const subscriptions = new Map<string, S>()
  let lastId = 0

  const connection = createConnection({
    name: subgraph,
    url: `${options.url.replace(/^http/, "ws").replace(/\/$/, "")}/graphql`,
    init: { secret: options.secret, features: [SHARED_NEXT] },
    log: options.log,
    onFrame,
    onDown() {
      const gone = [...requests.values()]
      const lost = [...subscriptions.values()]
      requests.clear()
      subscriptions.clear()
      for (const request of gone) request.reject(down())
      for (const subscription of lost) subscription.lost()
    },
  })
  const down = () => unavailable(`The ${subgraph} service cannot be reached just now.`)

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
      if (to.length > 0) onShared(to, shared.payload)
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
    if (!connection.up && !(await connection.afterShortBreak())) throw down()
    if (requests.size >= MAX_IN_FLIGHT) {
      throw unavailable(`The ${subgraph} service has too much to do just now.`)
    }
  }

  function send(id: string, { query, operationName, variables }: Ask, extensions: LinkExtensions) {
    const payload = { query, operationName, variables, extensions }
    if (!connection.send(JSON.stringify({ id, type: "subscribe", payload }))) throw down()
  }

  return {
    subgraph,
    get up() {
      return connection.up
    },
    async request(ask, extensions) {
      if (!connection.up || requests.size >= MAX_IN_FLIGHT) await open()
      const id = String(++lastId)
      send(id, ask, extensions)
      return new Promise((resolve, reject) => {
        requests.set(id, { deadline: performance.now() + timeout, resolve, reject })
      })
    },
    async subscribe(ask, extensions, to) {
      if (!connection.up && !(await connection.within(SUBSCRIBE_WITHIN_MS))) throw down()
      const id = String(++lastId)
      send(id, ask, extensions)
      subscriptions.set(id, to)
      return id
    },
    unsubscribe(id) {
      if (subscriptions.delete(id)) connection.send(completion(id))
    },
    close() {
      clearInterval(sweeping)
      connection.close()
    },
  }
}

const completion = (id: string) => `{"id":"${id}","type":"complete"}`
