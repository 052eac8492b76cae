import { unavailable } from "@parley/platform/errors.ts"
import { every } from "@parley/platform/every.ts"
import type { Logger } from "@parley/platform/log.ts"
import type { Bus, BusRecord } from "../bus/bus.ts"
import { pause, within } from "../bus/waiting.ts"
import { HOLD_PATIENCE, LOOK_AT_BUS_EVERY, READ_OTHERS_EVERY } from "../limits.ts"
import type { Others } from "./others.ts"

export interface LookoutOptions {
  bus: Bus
  others: Others
  log: Logger
  /** Times that differ from `limits.ts`, in ms. */
  times?: Partial<typeof TIMES>
}

const TIMES = {
  patience: HOLD_PATIENCE,
  lookEvery: LOOK_AT_BUS_EVERY,
  readEvery: READ_OTHERS_EVERY,
}
/** A store that does not answer keeps subscriptions from being opened anyway; in ms. */
const BEGUN_WITHIN = 10_000
/** Nor is it waited for where the node stops; in ms. */
const CLOSE_WITHIN = 1_000

/** A partition that the bus did not hold in time: until it does, what concerns it is read from the store. */
interface Pending {
  isHeld: boolean
}

/**
 * The same bus, made up for by the store where it brings nothing. While it is away, the node reads the entries that
 * other nodes store, and hands them on as if the bus had brought them: entries arrive within a second or two, and
 * holding a partition does not wait for the broker. Once the bus works again, one last reading closes the gap between the two.
 * What comes both ways, or twice, changes nothing: feeds go by the log's seq.
 *
 * Receipts are in no log: those of other nodes come when the bus is back.
 */
export function withLookout({ bus, others, log, times: given }: LookoutOptions): Bus {
  const times = { ...TIMES, ...given }
  const closed = new AbortController()
  const wanted = new Set<number>()
  const pending = new Map<number, Pending>()
  let onRecord: (record: BusRecord) => void = () => {}
  let begun = Promise.withResolvers<void>()
  let watching: Promise<void> | undefined
  let [absences, found] = [0, 0]

  const isAway = () => !bus.state().hears || others.areMute
  const isWanted = () => pending.size > 0 || isAway()

  const looking = every(
    times.lookEvery,
    async () => {
      if (isWanted() && !closed.signal.aborted) watch()
    },
    () => {},
  )

  function watch(): void {
    watching ??= readUntilBack().finally(() => {
      watching = undefined
      begun = Promise.withResolvers()
      if (isWanted() && !closed.signal.aborted) watch()
    })
  }

  async function readUntilBack(): Promise<void> {
    const since = performance.now()
    const before = found
    let wasAway = false
    if (!isAway()) log.info("the bus is slow: what it does not hold yet is read from the store")
    others.begin()
    let isFailing = false
    while (!closed.signal.aborted) {
      // What is stored after this is brought by the bus, where it works by now.
      const worked = !isAway()
      if (!worked && !wasAway) {
        wasAway = true
        absences += 1
        log.info("the bus is away: what other nodes store is read from the store")
      }
      const held = [...pending].filter(([, { isHeld }]) => isHeld)
      const isWhole = await others.read(tell, worked).catch((error) => {
        if (!isFailing) log.warn("what other nodes store cannot be read just now", { error })
        isFailing = true
        return undefined
      })
      if (isWhole !== undefined) {
        isFailing = false
        begun.resolve()
      }
      if (isWhole) {
        for (const [partition, one] of held) {
          if (pending.get(partition) === one) pending.delete(partition)
        }
        if (worked && !isWanted()) break
      }
      await pause(times.readEvery, closed.signal)
    }
    const lasted = Math.round(performance.now() - since)
    const figures = { lasted, found: found - before }
    log.info(wasAway ? "the bus is back" : "the bus holds everything", figures)
  }

  function tell(entry: Extract<BusRecord["event"], { kind: "entry" }>["entry"]): void {
    found += 1
    try {
      onRecord({ event: { kind: "entry", entry }, users: [] })
    } catch (error) {
      log.error("entry not handled", { conversation: entry.conversation, seq: entry.seq, error })
    }
  }

  /** Until the bus holds it: the bus itself gives up after a while. */
  async function awaitHeld(partition: number, one: Pending, first: Promise<void>): Promise<void> {
    for (let held = first; ; held = bus.hold(partition)) {
      const isHeld = await held.then(
        () => true,
        () => false,
      )
      if (isHeld) {
        one.isHeld = true
        return
      }
      await pause(times.readEvery, closed.signal)
      if (closed.signal.aborted || pending.get(partition) !== one) return
    }
  }

  return {
    ...bus,

    async hold(partition) {
      wanted.add(partition)
      const held = bus.hold(partition)
      held.catch(() => {})
      if (bus.state().hears && !pending.has(partition)) {
        const isHeld = await within(held, times.patience, "").then(
          () => true,
          () => false,
        )
        if (isHeld) return
      }
      if (closed.signal.aborted) throw unavailable("The bus is closed.")
      if (!wanted.has(partition)) throw unavailable("The partition has been released.")
      if (!pending.has(partition)) {
        const one = { isHeld: false }
        pending.set(partition, one)
        void awaitHeld(partition, one, held)
      }
      watch()
      await within(begun.promise, BEGUN_WITHIN, "The conversations cannot be read just now.")
    },

    release(partition) {
      wanted.delete(partition)
      pending.delete(partition)
      bus.release(partition)
    },

    onRecord(handler) {
      onRecord = handler
      bus.onRecord(handler)
    },

    stats: () => ({ ...bus.stats(), absences, found }),

    async [Symbol.asyncDispose]() {
      closed.abort()
      await looking.stop()
      const over = within(Promise.resolve(watching), CLOSE_WITHIN, "").catch(() => {})
      await Promise.all([over, bus[Symbol.asyncDispose]()])
    },
  }
}
