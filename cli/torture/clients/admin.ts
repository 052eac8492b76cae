import type { Outcome } from "./outcome.ts"
import type { Person } from "./person.ts"
import { pause, type Room } from "./world.ts"
import { isFinal, waitOf } from "./writer.ts"

/** Adds and removes a room's movers, one change after the other. */
export async function administer(person: Person, room: Room, every: number): Promise<void> {
  const { world } = person
  const random = person.random.fork(`admin of ${room.movers.join()}`)
  while (!world.stopping) {
    await pause(world, random.exponential(every))
    if (world.stopping || room.movers.length === 0) return
    const inside = room.movers.filter((name) => room.members.has(name))
    const outside = room.movers.filter((name) => !room.members.has(name))
    if (inside.length > 0 && (outside.length === 0 || random.chance(0.5))) {
      await dismiss(person, room, random.pick(inside))
    } else {
      const added = random.shuffled(outside).slice(0, 1 + random.below(2))
      if (await settled(person, () => person.add(room.id, added))) {
        for (const name of added) room.members.add(name)
      }
    }
  }
}

async function dismiss(person: Person, room: Room, name: string): Promise<void> {
  // Whatever the answer, the harness no longer counts on their membership.
  room.members.delete(name)
  await settled(person, () => person.remove(room.id, name))
}

/** Tries again until the outcome is known. A removal that was carried out before its answer was lost is refused. */
async function settled(person: Person, attempt: () => Promise<Outcome<unknown>>): Promise<boolean> {
  for (let wait = 50; ; wait = Math.min(wait * 2, 1_000)) {
    const outcome = await attempt()
    if ("data" in outcome) return true
    if (isFinal(outcome)) return false
    await Bun.sleep(waitOf(outcome, wait) * person.random.between(0.5, 1))
  }
}
