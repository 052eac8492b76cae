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
 */
export async function torment(options: NemesisOptions): Promise<void> {
  const { recorder, random } = options
  for (let singles = 1; recorder.now() < options.until; ) {
    for (const kind of random.shuffled(options.kinds)) {
      await Bun.sleep(random.between(...options.rest))
      if (recorder.now() >= options.until) break
      await inflict(kind.make(random), true, options)
      await options.caughtUp()
      singles += 1
      if (singles % TOGETHER_EVERY > 0) continue
      const pair = chooseTwo(options.kinds, random).map((kind) => kind.make(random))
      const apart = random.between(0, 1_500)
      await Bun.sleep(random.between(...options.rest))
      await Promise.all(
        pair.map(async (fault, index) => {
          await Bun.sleep(index * apart)
          await inflict(fault, false, options)
        }),
      )
      await options.caughtUp()
    }
  }
}

/** The last fault: everyone stops while it lasts, so that nothing that is done later can make good for it. */
export async function finish(
  kind: FaultKind,
  options: NemesisOptions,
  stopWriting: () => void,
): Promise<void> {
  await inflict(kind.make(options.random), true, options, stopWriting)
}

let faults = 0

async function inflict(
  { name, target, strike, lasts, mend }: Fault,
  alone: boolean,
  { recorder, say }: NemesisOptions,
  meanwhile = () => {},
): Promise<void> {
  faults += 1
  const fault = faults
  say(`${alone ? "" : "together: "}${name} (${target})`)
  recorder.write({ k: "fault", t: recorder.now(), fault, name, target, alone })
  await strike()
  await Bun.sleep(lasts / 2)
  meanwhile()
  await Bun.sleep(lasts / 2)
  await mend()
  recorder.write({ k: "healed", t: recorder.now(), fault })
}

/** Two that can be had at once: what one of them mends must not be what the other one has broken. */
function chooseTwo(kinds: FaultKind[], random: Random): FaultKind[] {
  const [first, ...others] = random.shuffled(kinds)
  const groupOf = ({ name }: FaultKind) => /^(TCP|clock|broker|store)/.exec(name)?.[0] ?? name
  const second = others.find((other) => groupOf(other) !== groupOf(first!))
  return second ? [first!, second] : [first!]
}
