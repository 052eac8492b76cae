import { type Cancellation, notWaitedFor } from "@parley/link/cancellation.ts"
import {
  CAUSE,
  type Carries,
  type LinkExtensions,
  readSharedNext,
  SHARED_NEXT,
} from "@parley/link/protocol.ts"
import { unavailable } from "@parley/platform/errors.ts"
import type { Logger } from "@parley/platform/log.ts"
import type { RequestContext } from "@parley/platform/request-context.ts"
import { gradually } from "../gradually.ts"
import { MAX_IN_FLIGHT } from "../limits.ts"
import { type Ask, Unanswered, type Upstreamed, type WireError } from "./ask.ts"
import {
  type Connection,
  type ConnectionState,
  createConnection,
  type TIMES,
} from "./connection.ts"
import { completion, readNext, subscribeFrame } from "./frames.ts"

export interface Link<S extends Upstreamed> {
  /** Of the connection for answers: whether the node can be asked. */
  readonly answers: ConnectionState
  /** Of the connection for events: whether subscriptions can be with the node. */
  readonly events: ConnectionState
  /** Requests and subscriptions that it has under way. */
  readonly load: number
  /** The subscriptions among these. */
  readonly subscribed: number
  /** What waits for the node to read it. */
  readonly waitingBytes: number
  /**
   * Asks once.
   * @returns the result's JSON, `{"data":…}` or `{"errors":[…]}`.
   * @throws ParleyError UNAVAILABLE where no answer comes in time, or where it was cancelled; the node's own being
   * Unanswered. TOO_LARGE where the frame would be longer than the node takes: it is not sent.
   */
  request(ask: Ask, extensions: LinkExtensions, cancellation?: Cancellation): Promise<string>
  /**
   * Starts a subscription and returns its id on the link; undefined where that cannot be said to the node now.
   * @throws ParleyError TOO_LARGE
   */
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
  onShared(to: S[], payload: string, cause: RequestContext | undefined): void
  wantsCauses?: boolean
  onState(carries: Carries, state: Exclude<ConnectionState, "down">): void
  /** How long an answer may take, in ms. */
  timeout?: number
  times?: Partial<typeof TIMES>
}

interface Request {
  deadline: number
  repeatable: boolean
  /** What its client's losing interest calls. */
  cancellation: Cancellation | undefined
  onCancel: (() => void) | undefined
  resolve(payload: string): void
  reject(error: Error): void
}

const TIMEOUT_MS = 5_000
const SWEEP_EVERY_MS = 250

/**
 * Two graphql-transport-ws connections to one subgraph node, for the operations of all users (link/protocol.ts): one for
 * queries and mutations, one for subscriptions. Where one of them breaks, what is on the other goes on.
 */
export function createLink<S extends Upstreamed>(options: LinkOptions<S>): Link<S> {
  const { subgraph, onShared, timeout = TIMEOUT_MS } = options
  const requests = new Map<string, Request>()
  const subscriptions = new Map<string, S>()
  let lastId = 0

  const features = options.wantsCauses ? [SHARED_NEXT, CAUSE] : [SHARED_NEXT]
  const connect = (
    carries: Carries,
    connection: { onFrame(frame: string): void; onBreak(): void; other(): Connection },
  ) =>
    createConnection({
      name: subgraph,
      carries,
      url: `${options.url.replace(/^http/, "ws").replace(/\/$/, "")}/graphql`,
      init: { secret: options.secret, features, carries },
      log: options.log,
      times: options.times,
      onFrame: connection.onFrame,
      onState(state) {
        if (state === "broken") connection.onBreak()
        if (state === "up") connection.other().hurry()
        options.onState(carries, state)
      },
    })
  const answers = connect("answers", {
    onFrame: onAnswer,
    onBreak: loseRequests,
    other: () => events,
  })
  const events = connect("events", {
    onFrame: onEvent,
    onBreak: loseSubscriptions,
    other: () => answers,
  })
  const down = (sent: boolean) =>
    new Unanswered(`The ${subgraph} service cannot be reached just now.`, sent)

  function loseRequests(): void {
    for (const id of [...requests.keys()]) take(id)?.reject(down(true))
  }

  function loseSubscriptions(): void {
    const lost = [...subscriptions.values()]
    subscriptions.clear()
    void gradually(lost, (subscription) => subscription.lost())
  }

  /** A request that is over, whatever came of it. */
  function take(id: string): Request | undefined {
    const request = requests.get(id)
    if (!request) return undefined
    requests.delete(id)
    if (request.onCancel) request.cancellation?.unlisten(request.onCancel)
    return request
  }

  /** Ends a request whose answer is of no use any more: the node may stop working at it. */
  function give(id: string, error: Error): void {
    const request = take(id)
    if (!request) return
    answers.send(completion(id))
    request.reject(error)
  }

  // One timer for all: requests are in the order in which they were made, so the oldest come first.
  const sweeping = setInterval(() => {
    const now = performance.now()
    for (const [id, request] of requests) {
      if (request.deadline > now) break
      give(id, unavailable(`The ${subgraph} service did not answer in time.`))
    }
  }, SWEEP_EVERY_MS)
  sweeping.unref()

  function onEvent(frame: string): void {
    const shared = readSharedNext(frame)
    if (!shared) {
      onPlain(frame, receive, endSubscription)
      return
    }
    const to: S[] = []
    for (const id of shared.ids) {
      const subscription = subscriptions.get(id)
      if (subscription) to.push(subscription)
    }
    if (to.length > 0) onShared(to, shared.payload, shared.cause)
  }

  function onAnswer(frame: string): void {
    onPlain(frame, answer, endRequest)
  }

  function onPlain(
    frame: string,
    onNext: (id: string, payload: string) => void,
    onEnd: (id: string, errors: WireError[]) => void,
  ): void {
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

  function answer(id: string, payload: string): void {
    take(id)?.resolve(payload)
  }

  function receive(id: string, payload: string): void {
    subscriptions.get(id)?.receive(payload)
  }

  function endRequest(id: string, errors: WireError[]): void {
    const request = take(id)
    if (errors.length > 0) request?.resolve(JSON.stringify({ errors }))
    else request?.reject(unavailable(`The ${subgraph} service gave no answer.`))
  }

  function endSubscription(id: string, errors: WireError[]): void {
    const subscription = subscriptions.get(id)
    subscriptions.delete(id)
    subscription?.ended(errors)
  }

  async function open(): Promise<void> {
    if (!(await answers.afterShortBreak())) throw down(false)
    if (requests.size >= MAX_IN_FLIGHT) {
      throw new Unanswered(`The ${subgraph} service has too much to do just now.`, false)
    }
  }

  const isConnected = ({ state }: Connection) => state === "up" || state === "doubtful"

  return {
    get answers() {
      return answers.state
    },
    get events() {
      return events.state
    },
    get load() {
      return requests.size + subscriptions.size
    },
    get subscribed() {
      return subscriptions.size
    },
    get waitingBytes() {
      return answers.waitingBytes + events.waitingBytes
    },
    async request(ask, extensions, cancellation) {
      if (!isConnected(answers) || requests.size >= MAX_IN_FLIGHT) await open()
      if (cancellation?.reason) throw cancellation.reason
      const id = String(++lastId)
      if (!answers.send(subscribeFrame(subgraph, id, ask, extensions))) throw down(false)
      const { repeatable = false } = ask
      const onCancel = cancellation && (() => give(id, cancellation.reason ?? notWaitedFor))
      if (onCancel) cancellation.listen(onCancel)
      const deadline = performance.now() + timeout
      return new Promise((resolve, reject) => {
        requests.set(id, { deadline, repeatable, cancellation, onCancel, resolve, reject })
      })
    },
    subscribe(ask, extensions, to) {
      // Asked again and again while chat is away: not worth writing out what may be long.
      if (!isConnected(events)) return undefined
      const id = String(++lastId)
      if (!events.send(subscribeFrame(subgraph, id, ask, extensions))) return undefined
      subscriptions.set(id, to)
      return id
    },
    unsubscribe(id) {
      if (subscriptions.delete(id)) events.send(completion(id))
    },
    subscriptions: () => subscriptions.values(),
    release() {
      for (const [id, { repeatable }] of requests) if (repeatable) give(id, down(true))
    },
    close() {
      clearInterval(sweeping)
      answers.close()
      events.close()
    },
  }
}
