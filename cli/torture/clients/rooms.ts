import type { Random } from "../random.ts"
import type { Outcome } from "./outcome.ts"
import type { Person } from "./person.ts"
import type { Room, World } from "./world.ts"

/** Who is to be in a conversation. */
export interface RoomPlan {
  founder: string
  /** They stay. */
  others: string[]
  /** They are added and removed all the while; every second one is there from the start. */
  movers: string[]
  kind: "group" | "direct"
  /** Much more is written here than elsewhere. */
  busy: boolean
}

const DIRECTS = 4

/** One busy group whose members stay, groups of about eight with movers, and a few direct conversations. */
export function planRooms(names: readonly string[], groups: number, random: Random): RoomPlan[] {
  const plans = Array.from({ length: groups }, (_, index): RoomPlan => {
    const [founder = "", ...rest] = random.shuffled(names)
    const busy = index === 0
    const size = busy ? Math.ceil(names.length / 3) : 3 + random.below(3)
    const movers = busy ? [] : rest.slice(size, size + 4)
    return { founder, others: rest.slice(0, size), movers, kind: "group", busy }
  })
  const pairs = Array.from({ length: DIRECTS }, (_, index): RoomPlan => {
    // Each pair is another one, whatever chance decides.
    const [founder = "", other = ""] = [names[index], names[names.length - 1 - index]]
    return { founder, others: [other], movers: [], kind: "direct", busy: false }
  })
  return [...plans, ...pairs]
}

/** Makes a conversation. @throws Error where it cannot be made: nothing is broken yet */
export async function openRoom(founder: Person, plan: RoomPlan, world: World): Promise<Room> {
  const members = [...plan.others, ...plan.movers.filter((_, index) => index % 2 === 0)]
  const { recorder } = world
  const t = recorder.now()
  const ids = members.map((name) => world.idOf(name))
  const outcome: Outcome<{ made: { id: string } }> =
    plan.kind === "group"
      ? await founder.account.ask(
          'mutation($ids: [ID!]!) { made: createGroup(title: "A group", members: $ids) { id } }',
          { ids },
        )
      : await founder.account.ask("mutation($id: ID!) { made: startDirect(user: $id) { id } }", {
          id: ids[0],
        })
  if (!("data" in outcome)) throw new Error(`no conversation: ${JSON.stringify(outcome)}`)
  const room: Room = {
    id: outcome.data.made.id,
    admin: plan.movers.length > 0 ? founder.name : undefined,
    members: new Set([founder.name, ...members]),
    movers: plan.movers,
    busy: plan.busy,
    acknowledged: 1,
  }
  world.rooms.set(room.id, room)
  recorder.write({
    ...{ k: "group", t, done: recorder.now(), who: founder.name },
    ...{ conversation: room.id, members: [...room.members] },
  })
  return room
}
