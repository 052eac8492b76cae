import type { Random } from "../random.ts"
import { startProxy, type TcpProxy } from "../system/proxy.ts"
import { administer } from "./admin.ts"
import { dawdle, type Habit, hop, markWhatIsRead } from "./habits.ts"
import { intrude, lookAround } from "./looker.ts"
import { Person } from "./person.ts"
import { Reader } from "./reader.ts"
import type { Room, World } from "./world.ts"
import { write } from "./writer.ts"

export interface Scale extends Habit {
  people: number
  groups: number
  /** Messages a second, all writers together. */
  rate: number
  /** The mean time between two changes of a group's members, in ms. */
  changeEvery: number
}

/** Everyone who uses the system during a run. */
export interface Workload {
  readers: Reader[]
  people: Person[]
  outsiders: Person[]
  /** Resolves once all have stopped, after `world.stopping`. Readers go on. */
  finished(): Promise<void>
  stop(): void
}

const NAMES =
  "ana ben cem dora emil fay gus hana ivo june kim leo mia nils olga pia quin ravi sven tara uma vito wim xena yara zeno".split(
    " ",
  )
const OUTSIDERS = ["mallory", "oscar"]

/** Makes the accounts and conversations, while nothing is broken yet, and sets everyone to work. */
export async function startWorkload(
  world: World,
  gateways: readonly string[],
  scale: Scale,
  random: Random,
): Promise<Workload> {
  const names = NAMES.slice(0, scale.people)
  const make = (name: string) => new Person(name, world, gateways, random.fork(name))
  const [people, outsiders] = [names.map(make), OUTSIDERS.map(make)]
  const everyone = [...people, ...outsiders]
  for (const person of everyone) {
    await person.account.signUp()
    world.ids.set(person.account.id, person.name)
    const outsider = outsiders.includes(person)
    world.recorder.write({ k: "person", t: world.recorder.now(), who: person.name, outsider })
  }
  const personOf = (name: string) => people.find((person) => person.name === name)!
  for (const plan of planRooms(names, scale, random.fork("rooms"))) {
    await open(personOf(plan.admin), plan, world)
  }

  const proxies: TcpProxy[] = []
  const readers: Reader[] = []
  const working: Promise<void>[] = []
  async function slowWay(): Promise<{ proxies: TcpProxy[]; urls: string[] }> {
    const made = await Promise.all(gateways.map((url) => startProxy(Number(new URL(url).port))))
    proxies.push(...made)
    return { proxies: made, urls: made.map(({ port }) => `http://127.0.0.1:${port}`) }
  }

  for (const [index, person] of everyone.entries()) {
    const name = `${person.name}'s phone`
    const chance = random.fork(name)
    // One in eight dawdles, one in three hops, one in eight only listens, the others just stay.
    const kind = ["dawdle", "hop", "stay", "stay", "hop", "listen", "stay", "hop"][index % 8]!
    const way = kind === "dawdle" ? await slowWay() : { proxies: [], urls: gateways }
    const manner = { resumes: kind !== "listen", names: index % 4 === 3 }
    const reader = new Reader(person, name, manner, way.urls, chance.fork("reader"))
    readers.push(reader)
    void reader.run()
    if (kind === "hop") working.push(hop(reader, scale, chance))
    if (kind === "dawdle") working.push(dawdle(reader, way.proxies, scale, chance))
    working.push(markWhatIsRead(reader, 1_500, chance.fork("marks")))
  }
  for (const person of people) {
    working.push(write(person, { every: (1_000 * scale.people) / scale.rate }))
    working.push(lookAround(person, 4_000))
  }
  for (const person of outsiders) working.push(intrude(person, 700))
  for (const room of world.rooms.values()) {
    if (room.admin) working.push(administer(personOf(room.admin), room, scale.changeEvery))
  }

  return {
    readers,
    people,
    outsiders,
    async finished() {
      await Promise.all(working)
    },
    stop() {
      for (const reader of readers) reader.stop()
      for (const person of everyone) person.leave()
      for (const proxy of proxies) proxy.stop()
    },
  }
}

interface RoomPlan {
  admin: string
  others: string[]
  movers: string[]
}

/** Groups of about eight, with movers; the first one's members stay. Each has an admin who stays. */
function planRooms(names: string[], { groups }: Scale, random: Random): RoomPlan[] {
  return Array.from({ length: groups }, (_, index) => {
    const [admin = "", ...rest] = random.shuffled(names)
    const size = 3 + random.below(3)
    return {
      admin,
      others: rest.slice(0, size),
      movers: index === 0 ? [] : rest.slice(size, size + 4),
    }
  })
}

async function open(admin: Person, plan: RoomPlan, world: World): Promise<void> {
  const members = [...plan.others, ...plan.movers.filter((_, index) => index % 2 === 0)]
  const { recorder } = world
  const t = recorder.now()
  const outcome = await admin.account.ask<{ createGroup: { id: string } }>(
    'mutation($members: [ID!]!) { createGroup(title: "A group", members: $members) { id } }',
    { members: members.map((name) => world.idOf(name)) },
  )
  if (!("data" in outcome)) throw new Error(`no group: ${JSON.stringify(outcome)}`)
  const room: Room = {
    id: outcome.data.createGroup.id,
    admin: admin.name,
    members: new Set([admin.name, ...members]),
    movers: plan.movers,
    acknowledged: 1,
  }
  world.rooms.set(room.id, room)
  recorder.write({
    ...{ k: "group", t, done: recorder.now(), who: admin.name },
    ...{ conversation: room.id, members: [...room.members] },
  })
}
