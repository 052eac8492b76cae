import type { Outcome } from "./outcome.ts"
import type { Note, Person } from "./person.ts"
import { pause } from "./world.ts"

export interface WriterOptions {
  /** The mean wait between two messages, in ms. */
  every: number
}

/** How many acknowledged messages are remembered, to be sent once more. */
const REMEMBERED = 50

/** How much of what its members write goes to the busy room. */
const BUSY_SHARE = 0.5

/** Sends to the rooms that they believe to be in, each message until it is acknowledged or refused. */
export async function write(person: Person, { every }: WriterOptions): Promise<void> {
  const { world } = person
  const random = person.random.fork("writer")
  const sent: Note[] = []
  let count = 0

  function text(): string {
    count += 1
    const short = `${person.name} ${count}`
    // Some are long, so that what waits for a slow reader becomes much.
    return random.chance(0.05) ? `${short} ${"and so on ".repeat(random.below(400))}` : short
  }

  async function sendOne(): Promise<void> {
    // Now and then a person writes to a conversation of which they are no member, or no longer one.
    const stranger = random.chance(0.02)
    const rooms = [...world.rooms.values()].filter(
      ({ members }) => members.has(person.name) !== stranger,
    )
    if (rooms.length === 0) return
    const room = (random.chance(BUSY_SHARE) && rooms.find(({ busy }) => busy)) || random.pick(rooms)
    const note = { conversation: room.id, id: Bun.randomUUIDv7(), text: text() }
    // Twice at once, as when a person presses twice, or a client that was too impatient.
    if (random.chance(0.02)) void sendUntilKnown(person, note)
    if (!(await sendUntilKnown(person, note))) return
    sent.push(note)
    if (sent.length > REMEMBERED) sent.shift()
    if (random.chance(0.04)) await sendUntilKnown(person, random.pick(sent))
    if (random.chance(0.03)) {
      const other = random.pick(sent)
      await sendUntilKnown(person, { ...other, text: `${other.text}, or not` })
    }
  }

  while (!world.stopping) {
    await pause(world, random.exponential(every))
    if (!world.stopping) await sendOne()
  }
}

/** Sends again by the same id until the outcome is known: true where it was acknowledged. */
export async function sendUntilKnown(person: Person, note: Note): Promise<boolean> {
  const { world } = person
  const room = world.rooms.get(note.conversation)!
  for (let wait = 50; ; wait = Math.min(wait * 2, 1_000)) {
    const outcome = await person.send(note)
    if ("data" in outcome) {
      room.acknowledged = Math.max(room.acknowledged, outcome.data.seq)
      world.acknowledged += 1
      return true
    }
    if (isFinal(outcome)) return false
    await Bun.sleep(waitOf(outcome, wait) * person.random.between(0.5, 1))
  }
}

/** UNAUTHENTICATED is not final: the account has signed in again by now. */
export const isFinal = (outcome: Outcome<unknown>): boolean =>
  "code" in outcome && !outcome.retryable && outcome.code !== "UNAUTHENTICATED"

export const waitOf = (outcome: Outcome<unknown>, wait: number): number =>
  "code" in outcome ? Math.max(wait, outcome.retryAfterMs ?? 0) : wait
