import type { Person } from "./person.ts"
import { pause } from "./world.ts"

/** Asks for the state of conversations, of one's own and of others. */
export async function lookAround(person: Person, every: number): Promise<void> {
  const { world } = person
  const random = person.random.fork("looker")
  while (!world.stopping) {
    await pause(world, random.exponential(every))
    if (world.stopping) return
    const room = random.pick([...world.rooms.values()])
    if (random.chance(0.7)) await person.look(room.id)
    else await person.page(room.id, Math.max(0, room.acknowledged - random.below(20)))
  }
}

/** Tries everything in conversations that are none of theirs. */
export async function intrude(person: Person, every: number): Promise<void> {
  const { world } = person
  const random = person.random.fork("intruder")
  while (!world.stopping) {
    await pause(world, random.exponential(every))
    if (world.stopping) return
    const room = random.pick([...world.rooms.values()])
    const attempts = [
      () => person.look(room.id),
      () => person.page(room.id, 0),
      () => person.mark(room.id, "read", 1),
      () => person.add(room.id, [person.name]),
      () => person.send({ conversation: room.id, id: Bun.randomUUIDv7(), text: "let me in" }),
    ]
    await random.pick(attempts)()
  }
}
