import type { Recorder } from "../history/recorder.ts"
import type { Random } from "../random.ts"
import type { Fault, FaultKind } from "./faults.ts"

export interface NemesisOptions {
  kinds: FaultKind[]
  recorder: Recorder
  random: Random
  /** Between two steps, from, to, in ms. */
  rest: [number, number]
  /** Resolves once everyone has caught up, or is too late. */
  caughtUp(): Promise<unknown>
  say(text: string): void
  /** When no new step is begun any more, by the recorder's clock. */
  until: number
}

/** After so many single faults, two are done together. */
const TOGETHER_EVERY = 4

/**
 * Does one thing after the other to the system: rounds of every kind in an order that chance decides, and now and then
 * two together. What it does is decided by the seed alone; when, by how long the system takes to recover.
 * @returns how many faults there were
 */
export async function torment(options: NemesisOptions): Promise<number> {
  const { recorder, random, say } = options
  let faults = 0

  async function inflict(fault: Fault, alone: boolean): Promise<void> {
    faults += 1
    const number = faults
    const { name, target } = fault
    say(`${alone ? "" : "together: "}${name} (${target})`)
    recorder.write({ k: "fault", t: recorder.now(), fault: number, name, target, alone })
    await fault.strike()
    await Bun.sleep(fault.lasts)
    await fault.mend()
    recorder.write({ k: "healed", t: recorder.now(), fault: number })
  }

  let singles = 0
  while (recorder.now() < options.until) {
    for (const kind of random.shuffled(options.kinds)) {
      await Bun.sleep(random.between(...options.rest))
      if (recorder.now() >= options.until) break
      await inflict(kind.make(random), true)
      await options.caughtUp()
      singles += 1
      if (singles % TOGETHER_EVERY > 0) continue
      const pair = chooseTwo(options.kinds, random)
      await Promise.all(
        pair.map(async (kind, index) => {
          await Bun.sleep(index * random.between(0, 1_500))
          await inflict(kind.make(random), false)
        }),
      )
      await options.caughtUp()
    }
  }
  return faults
}

/** Two that can be had at once: what one of them mends must not be what the other one has broken. */
function chooseTwo(kinds: FaultKind[], random: Random): FaultKind[] {
  const [first, ...others] = random.shuffled(kinds)
  const groupOf = ({ name }: FaultKind) => /^(TCP|clock|broker|store)/.exec(name)?.[0] ?? name
  const second = others.find((other) => groupOf(other) !== groupOf(first!))
  return second ? [first!, second] : [first!]
}
