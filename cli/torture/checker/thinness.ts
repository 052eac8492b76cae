import type { Evidence } from "./evidence.ts"

/** At least so many messages are acknowledged a second, whatever breaks: a twentieth of what is sent. */
const ACKNOWLEDGED_A_SECOND = 8
/** At least so many subscriptions resume a minute: eight devices hop every 12 s or so, and faults end the others, too. */
const RESUMED_A_MINUTE = 10
/** A fault, the rest before it and the wait until all have caught up, in s, on a busy machine. */
const SECONDS_A_FAULT = 15
/** From so many minutes on some device has slept long enough to be told to load a conversation anew. */
const RELOADS_FROM_MINUTES = 4

interface Counts {
  acknowledged: number
  resumed: number
  reloaded: number
}

/**
 * What too little happened of for a history to show anything, in sentences. A history that does not say what run it is
 * of is held to the least: a message and a subscription that resumed.
 */
export function thinness({ run, faults }: Evidence, counts: Counts): string[] {
  const thin: string[] = []
  const minutes = run?.minutes ?? 0
  const expect = (what: string, count: number, least: number) => {
    if (count < least) thin.push(`${what}: ${count}, where at least ${least} were to be expected`)
  }
  expect(
    "messages acknowledged",
    counts.acknowledged,
    atLeastOne(minutes * 60 * ACKNOWLEDGED_A_SECOND),
  )
  expect("subscriptions that resumed", counts.resumed, atLeastOne(minutes * RESUMED_A_MINUTE))
  if (minutes >= RELOADS_FROM_MINUTES) expect("conversations loaded anew", counts.reloaded, 1)
  const kinds = run?.faults ?? []
  if (kinds.length === 0) return thin
  const fitting = (minutes * 60) / SECONDS_A_FAULT
  expect("faults", faults.length, atLeastOne(fitting))
  if (fitting < kinds.length) return thin
  for (const kind of kinds) {
    expect(`faults of the kind «${kind}»`, faults.filter(({ name }) => name === kind).length, 1)
  }
  return thin
}

const atLeastOne = (count: number) => Math.max(1, Math.floor(count))
