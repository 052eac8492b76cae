import type { TcpProxy } from "../../../testing/proxy.ts"
import type { Random } from "../random.ts"
import type { Reader } from "./reader.ts"
import { pause } from "./world.ts"

/** When a reader is away, in ms. */
export interface Habit {
  /** The mean time between two absences. */
  absences: number
  /** How long one is: from, to. */
  absence: [number, number]
}

/** Goes away without warning and comes back with its positions, elsewhere. */
export async function hop(
  reader: Reader,
  { absences, absence }: Habit,
  random: Random,
): Promise<void> {
  const { world } = reader.person
  while (!world.stopping) {
    await pause(world, random.exponential(absences))
    if (world.stopping) return
    await reader.away(async () => {
      reader.hangUp(random.chance(0.5))
      await pause(world, random.between(...absence))
    })
  }
}

/** Stops reading for a while, its connection open: the gateway is left with what it does not take. */
export async function dawdle(
  reader: Reader,
  proxies: readonly TcpProxy[],
  { absences, absence }: Habit,
  random: Random,
): Promise<void> {
  const { world } = reader.person
  while (!world.stopping) {
    await pause(world, random.exponential(absences))
    if (world.stopping) return
    const stall = random.chance(0.5)
    await reader.away(async () => {
      for (const proxy of proxies) {
        if (stall) proxy.stall()
        else proxy.hang()
      }
      await pause(world, random.between(...absence))
      // A half-open connection ends in a reset sooner or later.
      if (!stall && random.chance(0.5)) for (const proxy of proxies) proxy.drop()
      for (const proxy of proxies) proxy.heal()
    })
  }
}

/** Moves its person's watermarks up to where it has read, now and then to where they have been before. */
export async function markWhatIsRead(reader: Reader, every: number, random: Random): Promise<void> {
  const { world, name } = reader.person
  while (!world.stopping) {
    await pause(world, random.exponential(every))
    const read = [...reader.positions].filter(([id]) => world.rooms.get(id)?.members.has(name))
    if (world.stopping || read.length === 0) continue
    const [conversation, position] = random.pick(read)
    const seq = random.chance(0.15) ? 1 + random.below(position) : position
    await reader.person.mark(conversation, random.chance(0.5) ? "read" : "delivered", seq)
  }
}
