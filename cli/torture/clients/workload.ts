import { startProxy, type TcpProxy } from "../../../testing/proxy.ts"
import type { Random } from "../random.ts"
import { administer } from "./admin.ts"
import { attackAll } from "./attackers.ts"
import { dawdle, type Habit, hop, markWhatIsRead } from "./habits.ts"
import { intrude, lookAround } from "./looker.ts"
import { Person } from "./person.ts"
import { Reader } from "./reader.ts"
import { openRoom, planRooms } from "./rooms.ts"
import type { World } from "./world.ts"
import { write } from "./writer.ts"

export interface Scale extends Habit {
  people: number
  groups: number
  /** Messages a second, all writers together. */
  rate: number
  /** The mean time between two changes of a group's members, in ms. */
  changeEvery: number
  /** How many wish the others harm. */
  attackers: number
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

/** What the readers do, in turn. */
const READERS = ["dawdle", "hop", "stay", "sleep", "hop", "listen", "stay", "hop"] as const
/** A reader that sleeps so long, in ms, has missed more of a busy group than is replayed. */
const LONG_SLEEP: Habit = { absences: 20_000, absence: [25_000, 100_000] }

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
  const attackers = Array.from({ length: scale.attackers }, (_, i) => make(`eve${i + 1}`))
  const everyone = [...people, ...outsiders]
  for (const person of [...everyone, ...attackers]) {
    await person.account.signUp()
    world.ids.set(person.account.id, person.name)
    const outsider = !people.includes(person)
    world.recorder.write({ k: "person", t: world.recorder.now(), who: person.name, outsider })
  }
  const personOf = (name: string) => people.find((person) => person.name === name)!
  for (const plan of planRooms(names, scale.groups, random.fork("rooms"))) {
    await openRoom(personOf(plan.founder), plan, world)
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
    const kind = READERS[index % READERS.length]!
    const way = kind === "dawdle" ? await slowWay() : { proxies: [], urls: gateways }
    const manner = { resumes: kind !== "listen", names: index % 4 === 3 }
    const reader = new Reader(person, name, manner, way.urls, chance.fork("reader"))
    readers.push(reader)
    void reader.run()
    if (kind === "hop") working.push(hop(reader, scale, chance))
    if (kind === "sleep") working.push(hop(reader, LONG_SLEEP, chance))
    if (kind === "dawdle") working.push(dawdle(reader, way.proxies, scale, chance))
    working.push(markWhatIsRead(reader, 1_500, chance.fork("marks")))
  }
  for (const person of people) {
    working.push(write(person, { every: (1_000 * scale.people) / scale.rate }))
    working.push(lookAround(person, 4_000))
  }
  for (const person of outsiders) working.push(intrude(person, 700))
  for (const person of attackers) {
    working.push(attackAll(person, people, random.fork(`attacks of ${person.name}`)))
  }
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
      for (const person of [...everyone, ...attackers]) person.leave()
      for (const proxy of proxies) proxy.stop()
    },
  }
}
