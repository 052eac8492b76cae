import { addressGroup } from "@parley/platform/address-group.ts"
import { ParleyError } from "@parley/platform/errors.ts"
import { createTokenBuckets, type TokenBuckets } from "@parley/platform/token-bucket.ts"
import {
  MAX_WAITING_DOCUMENTS,
  MAX_WAITING_PER_CALLER,
  NEW_DOCUMENTS_PER_ADDRESS,
  NEW_DOCUMENTS_PER_PERSON,
} from "../limits.ts"

/** Who answers for the cost of an operation: a person, or an address without a login. */
export interface Payer {
  user: string | undefined
  address: string
}

/** Does what is costly about documents that the gateway has not seen before, at the expense of who sends them. */
export interface NewDocuments {
  /**
   * Does some work that holds the thread: at once where there is no other, else in turn. Each payer waits behind its own
   * work and not before others', and new documents get half of the gateway's time at most, so that those which are
   * known are hardly ever late.
   * @throws ParleyError RATE_LIMITED where the payer has used up its time, or has too much waiting
   */
  work<T>(payer: Payer, work: () => T): T | Promise<T>
}

interface Waiting {
  run(): void
  reject(error: ParleyError): void
}

/**
 * @param now in ms, never running back
 * @param cpu the CPU time of this process, in ms: what a busy machine does meanwhile is at no payer's expense
 */
export function createNewDocuments(
  now: () => number = () => performance.now(),
  cpu: () => number = cpuOfProcess,
): NewDocuments {
  const ofPeople = createTokenBuckets(NEW_DOCUMENTS_PER_PERSON)
  const ofAddresses = createTokenBuckets(NEW_DOCUMENTS_PER_ADDRESS)
  /** In the order of their turns. */
  const queues = new Map<string, Waiting[]>()
  let waiting = 0
  /** Until then other work has the thread. */
  let restUntil = 0
  let timer: ReturnType<typeof setTimeout> | undefined

  function check(buckets: TokenBuckets, key: string): void {
    const wait = buckets.waitFor(key, 1, now())
    if (wait > 0) throw usedUp(Math.max(1, Math.ceil(wait)))
  }

  function timed<T>(buckets: TokenBuckets, key: string, work: () => T): T {
    const beganAt = now()
    const cpuBefore = cpu()
    try {
      return work()
    } finally {
      const took = now() - beganAt
      buckets.charge(key, Math.min(took, cpu() - cpuBefore), beganAt)
      restUntil = beganAt + 2 * took
    }
  }

  function takeTurns(): void {
    timer = undefined
    const next = queues.entries().next()
    if (next.done) return
    const [key, queue] = next.value
    const first = queue.shift()!
    waiting--
    queues.delete(key)
    // The payer's next one waits behind all others'.
    if (queue.length > 0) queues.set(key, queue)
    first.run()
    schedule()
  }

  function schedule(): void {
    if (queues.size === 0 || timer !== undefined) return
    timer = setTimeout(takeTurns, Math.max(1, restUntil - now()))
  }

  return {
    work(payer, work) {
      const buckets = payer.user === undefined ? ofAddresses : ofPeople
      const key = payerKey(payer)
      check(buckets, key)
      if (waiting === 0 && now() >= restUntil) return timed(buckets, key, work)
      const queue = queues.get(key) ?? []
      if (queue.length >= MAX_WAITING_PER_CALLER || waiting >= MAX_WAITING_DOCUMENTS) {
        throw usedUp(1_000)
      }
      const { promise, resolve, reject } = Promise.withResolvers<ReturnType<typeof work>>()
      queue.push({
        run() {
          try {
            check(buckets, key)
            resolve(timed(buckets, key, work))
          } catch (error) {
            reject(error)
          }
        },
        reject,
      })
      queues.set(key, queue)
      waiting++
      schedule()
      return promise
    },
  }
}

function cpuOfProcess(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1_000
}

/** Names a payer in buckets and queues. A home or a machine has all addresses of one IPv6 network of 64 bits. */
export function payerKey({ user, address }: Payer): string {
  if (user !== undefined) return `user ${user}`
  return `address ${addressGroup(address)}`
}

const usedUp = (retryAfterMs: number) =>
  new ParleyError(
    "RATE_LIMITED",
    "Too many different documents: send the same ones, with variables.",
    { retryAfterMs },
  )
