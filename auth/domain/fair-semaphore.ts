import { ParleyError } from "@parley/platform/errors.ts"

export interface FairGateOptions {
  /** How many run at the same time, and of these for one account. */
  concurrency: number
  perAccount: number
  /** How many may wait, and of these for one account and from one address group. */
  queue: number
  waitingPerAccount: number
  waitingPerAddress: number
}

/** On whose behalf a job runs: the group of an address, and an account or a device that the account knows. */
export interface Claimant {
  address: string
  account: string
}

/**
 * Lets a bounded number of expensive jobs run, and a bounded number wait. Addresses take turns, and so do accounts,
 * whatever the addresses that ask for them: a flood waits behind itself. Where the queue is full, the longest part of it gives way: the newest
 * job of the address or account that has most jobs in it is refused, and a job from elsewhere takes its place.
 */
export interface FairSemaphore {
  /** @throws ParleyError RATE_LIMITED where there is no place, or it was given away; nothing was begun then. */
  run<T>(by: Claimant, job: () => Promise<T>): Promise<T>
  load(): GateLoad
}

export interface GateLoad {
  running: number
  waiting: number
}

interface Waiting extends Claimant {
  begin(): void
  refuse(): void
}

/** Beyond so many names of those that were served, all are forgotten: the order is then that of coming. */
const REMEMBERED = 10_000

export function createFairSemaphore(options: FairGateOptions): FairSemaphore {
  const { concurrency, perAccount, queue, waitingPerAccount, waitingPerAddress } = options
  let waiting: Waiting[] = []
  let running = 0
  const runningOf = new Map<string, number>()
  /** The turn at which an address and an account were served last. */
  const served = { address: new Map<string, number>(), account: new Map<string, number>() }
  let turn = 0
  /** What a job takes, in ms: a moving average, for the advice to those who are refused. */
  let usual = 50

  const tooMany = () =>
    new ParleyError("RATE_LIMITED", "Too many people are signing in just now.", {
      retryAfterMs: Math.ceil(((waiting.length + concurrency) / concurrency) * usual),
    })

  const mayRun = ({ account }: Claimant) =>
    running < concurrency && (runningOf.get(account) ?? 0) < perAccount

  function start({ address, account }: Claimant): void {
    running += 1
    runningOf.set(account, (runningOf.get(account) ?? 0) + 1)
    turn += 1
    for (const [names, name] of [
      [served.address, address],
      [served.account, account],
    ] as const) {
      if (names.size >= REMEMBERED) names.clear()
      names.set(name, turn)
    }
  }

  function finish({ account }: Claimant): void {
    running -= 1
    const left = (runningOf.get(account) ?? 1) - 1
    if (left > 0) runningOf.set(account, left)
    else runningOf.delete(account)
    if (running === 0 && waiting.length === 0) {
      served.address.clear()
      served.account.clear()
    }
    for (let next = takeNext(); next; next = takeNext()) {
      start(next)
      next.begin()
    }
  }

  function takeNext(): Waiting | undefined {
    let best: Waiting | undefined
    for (const one of waiting) {
      if (mayRun(one) && (!best || isBefore(one, best))) best = one
    }
    if (best) waiting = waiting.filter((one) => one !== best)
    return best
  }

  /** First what neither its address nor its account was served for lately; then by account, by address; then first come. */
  function isBefore(one: Claimant, other: Claimant): boolean {
    const byBoth = servedAt(one) - servedAt(other)
    if (byBoth !== 0) return byBoth < 0
    const byAccount = turnOf("account", one) - turnOf("account", other)
    if (byAccount !== 0) return byAccount < 0
    return turnOf("address", one) < turnOf("address", other)
  }
  const turnOf = (what: keyof Claimant, one: Claimant) => served[what].get(one[what]) ?? 0
  /** The later of the turns at which its address and its account were served last; 0: neither was. */
  const servedAt = (one: Claimant) => Math.max(turnOf("address", one), turnOf("account", one))

  /** Finds a place for one more; false where there is none that is not better used as it is. */
  function makeRoom(by: Claimant): boolean {
    const counts = { address: new Map<string, number>(), account: new Map<string, number>() }
    for (const one of [...waiting, by]) {
      for (const what of ["address", "account"] as const) {
        counts[what].set(one[what], (counts[what].get(one[what]) ?? 0) + 1)
      }
    }
    const of = (what: keyof Claimant, one: Claimant) => counts[what].get(one[what]) ?? 0
    if (of("account", by) > waitingPerAccount) {
      return giveWay(
        by,
        (one) => one.account === by.account,
        (one) => of("address", one),
      )
    }
    if (of("address", by) > waitingPerAddress) {
      return giveWay(
        by,
        (one) => one.address === by.address,
        (one) => of("account", one),
      )
    }
    if (waiting.length < queue) return true
    // The most crowded address or account, and of an address its most crowded account.
    return giveWay(
      by,
      () => true,
      (one) => Math.max(of("address", one), of("account", one)) * (queue + 2) + of("account", one),
    )
  }

  /** Refuses the newest of those that weigh most; false where none of them weighs more than the newcomer. */
  function giveWay(
    by: Claimant,
    among: (one: Claimant) => boolean,
    weight: (one: Claimant) => number,
  ): boolean {
    let heaviest: Waiting | undefined
    let most = weight(by)
    for (const one of waiting) {
      if (!among(one) || weight(one) < most || (!heaviest && weight(one) === most)) continue
      heaviest = one
      most = weight(one)
    }
    if (!heaviest) return false
    waiting = waiting.filter((one) => one !== heaviest)
    heaviest.refuse()
    return true
  }

  return {
    load: () => ({ running, waiting: waiting.length }),
    async run(by, job) {
      if (mayRun(by) && waiting.every((one) => !mayRun(one))) start(by)
      else {
        if (!makeRoom(by)) throw tooMany()
        // The job that ends starts the next one, so that none slips in between.
        await new Promise<void>((begin, reject) => {
          waiting.push({ ...by, begin, refuse: () => reject(tooMany()) })
        })
      }
      const began = performance.now()
      try {
        return await job()
      } finally {
        usual += (performance.now() - began - usual) / 8
        finish(by)
      }
    },
  }
}
