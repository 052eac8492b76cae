import { appendFileSync, mkdirSync } from "node:fs"
import { join } from "node:path"
import type { Person } from "./clients/person.ts"
import type { Reader } from "./clients/reader.ts"
import { type Scale, startWorkload, type Workload } from "./clients/workload.ts"
import { createWorld, type World } from "./clients/world.ts"
import { openRecorder, type Recorder } from "./history/recorder.ts"
import { type FaultKind, faultKinds, type Spans } from "./nemesis/faults.ts"
import { finish, torment } from "./nemesis/nemesis.ts"
import { createRandom, type Random } from "./random.ts"
import { startCluster } from "./system/cluster.ts"
import { startEmbedded } from "./system/embedded.ts"
import type { System } from "./system/system.ts"

export interface RunOptions {
  engines: "embedded" | "cluster"
  minutes: number
  seed: string
  /** Where history, logs and data go; made, and empty. */
  folder: string
  say(text: string): void
  scale?: Partial<Scale>
  /** The name of a bug to be planted in chat. */
  bug?: string
  /** Names of the faults that there are to be, instead of all. */
  faults?: string[]
  /** How long everyone is waited for in the end, in ms. */
  patience?: number
  /** The name of the one that is under way when everyone stops writing, instead of any. */
  last?: string
}

const SCALE: Scale = {
  people: 24,
  groups: 8,
  rate: 160,
  absences: 12_000,
  absence: [500, 5_000],
  changeEvery: 3_000,
  attackers: 0,
}

/** Runs of less than this many minutes have shorter faults. */
const LONG = 5
const LONG_SPANS: Spans = {
  frozen: [2_000, 20_000],
  down: [1_000, 8_000],
  away: [60_000, 60_000],
  wire: [1_000, 8_000],
  clock: [2_000, 6_000],
  disk: [1_000, 6_000],
}
const SHORT_SPANS: Spans = {
  frozen: [1_000, 3_000],
  down: [500, 2_000],
  away: [8_000, 8_000],
  wire: [500, 2_000],
  clock: [1_500, 2_500],
  disk: [500, 1_500],
}

const READY_WITHIN = 60_000
/** The longest wait for a person before the run goes on, in ms; the checker judges whether they were in time. */
const CAUGHT_UP_WITHIN = 20_000
const FIRMLY = 600
const QUIET_WITHIN = 45_000
/** How many of a conversation's members are asked for the whole of it in the end. */
const ASKED = 3

/** One run: starts a system, sets people and nemesis on it, and leaves everything that was seen in the folder. */
export async function run(options: RunOptions): Promise<void> {
  const { engines, minutes, seed, folder, say, patience = QUIET_WITHIN } = options
  mkdirSync(folder, { recursive: true })
  const random = createRandom(seed)
  await using system =
    engines === "cluster" ? await startCluster(options, say) : await startEmbedded(options)
  await ready(system)
  const recorder = openRecorder(join(folder, "history.jsonl"))
  const started = new Date().toISOString()
  const faults = kindsOf(system, options).map(({ name }) => name)
  recorder.write({ k: "run", t: recorder.now(), seed, engines, minutes, started, faults })
  const world = createWorld(recorder)
  const scale = { ...SCALE, ...options.scale }
  const workload = await startWorkload(world, system.gateways, scale, random.fork("workload"))
  say(`${scale.people} people are at it`)

  await tormentAll(system, world, workload, options, random.fork("nemesis"))
  say("waiting until all is quiet")
  await Promise.race([workload.finished(), Bun.sleep(patience)])
  await caughtUp(world, workload.readers, patience)
  recorder.write({ k: "quiet", t: recorder.now() })
  say("asking everyone what they see")
  await askAll(world, workload, random.fork("final"))
  recorder.write({ k: "asked", t: recorder.now() })
  workload.stop()
  await recorder.close()
  await keepStore(system, world, folder)
}

/** The faults that the nemesis chooses from. */
const kindsOf = (system: System, { minutes, faults }: RunOptions): FaultKind[] =>
  faultKinds(system, minutes >= LONG ? LONG_SPANS : SHORT_SPANS).filter(
    ({ name }) => !faults || faults.includes(name),
  )

async function tormentAll(
  system: System,
  world: World,
  { readers }: Workload,
  options: RunOptions,
  random: Random,
): Promise<void> {
  const { recorder } = world
  const { minutes, last, say } = options
  const long = minutes >= LONG
  const wanted = kindsOf(system, options)
  const until = recorder.now() + minutes * 60_000
  const nemesis = {
    ...{ kinds: wanted, recorder, random, until },
    rest: (long ? [1_000, 4_000] : [700, 1_500]) as [number, number],
    async caughtUp() {
      await caughtUp(world, readers, CAUGHT_UP_WITHIN)
      // Some may have been cut off and not know it yet.
      await Bun.sleep(FIRMLY)
      await caughtUp(world, readers, CAUGHT_UP_WITHIN)
    },
    say: (text: string) => say(`${seconds(recorder)}  ${text}`),
  }
  if (wanted.length > 0) await torment(nemesis)
  else await Bun.sleep(until - recorder.now())
  const lasts = last ? kindsOf(system, { ...options, faults: [last] }) : wanted
  if (last && lasts.length === 0) throw new Error(`${system.engines} has no fault "${last}"`)
  const stopWriting = () => {
    world.stopping = true
  }
  if (lasts.length > 0) await finish(random.pick(lasts), nemesis, stopWriting)
  stopWriting()
}

const seconds = (recorder: Recorder) => `${(recorder.now() / 1000).toFixed(0).padStart(5)} s`

/** What the store holds in the end, as a witness. */
async function keepStore(system: System, world: World, folder: string): Promise<void> {
  const stored = await system.readStore(world.nameOf)
  for (let i = 0; i < stored.length; i += 10_000) {
    const lines = stored.slice(i, i + 10_000).map((line) => `${JSON.stringify(line)}\n`)
    appendFileSync(join(folder, "store.jsonl"), lines.join(""))
  }
}

async function ready({ gateways, services }: System): Promise<void> {
  await Promise.all(services.map((service) => service.listening()))
  const isReady = (url: string) =>
    fetch(`${url}/readyz`).then(
      ({ ok }) => ok,
      () => false,
    )
  for (const url of gateways) {
    if (await settled(() => isReady(url), READY_WITHIN)) continue
    throw new Error(`The system is not ready after ${READY_WITHIN / 1000} s: see its logs.`)
  }
}

/** Resolves once it holds; with false where it does not within so many ms. */
async function settled(holds: () => boolean | Promise<boolean>, within: number): Promise<boolean> {
  const deadline = performance.now() + within
  while (!(await holds())) {
    if (performance.now() > deadline) return false
    await Bun.sleep(50)
  }
  return true
}

/** Resolves once every reader that is there has all that has been acknowledged up to now; or after `within` ms. */
function caughtUp(world: World, readers: readonly Reader[], within: number): Promise<boolean> {
  const rooms = [...world.rooms.values(), ...world.unasked.values()]
  const targets = rooms.map((room) => ({ room, seq: room.acknowledged }))
  const has = (reader: Reader) =>
    reader.isAway ||
    (reader.live &&
      (!reader.manner.resumes ||
        targets.every(
          ({ room, seq }) =>
            !room.members.has(reader.person.name) || (reader.positions.get(room.id) ?? 0) >= seq,
        )))
  return settled(() => readers.every(has), within)
}

/** Everyone is asked for the state of every conversation; some members of each for the whole of it. */
async function askAll(world: World, { people, outsiders }: Workload, random: Random) {
  const all = [...people, ...outsiders]
  await Promise.all(
    all.map(async (person) => {
      for (const room of world.rooms.values()) await untilAnswered(() => person.look(room.id))
    }),
  )
  for (const room of world.rooms.values()) {
    const members = people.filter(({ name }) => room.members.has(name))
    const chosen = random.shuffled(members).slice(0, ASKED)
    const admin = people.find(({ name }) => name === room.admin)
    const asked = new Set(admin ? [admin, ...chosen] : chosen)
    await Promise.all([...asked].map((person) => readWhole(person, room.id)))
  }
}

async function readWhole(person: Person, conversation: string): Promise<void> {
  for (let position = 0; ; ) {
    const page = await untilAnswered(() => person.page(conversation, position))
    if (!("data" in page)) return
    const last = page.data.entries.at(-1)?.seq
    if (last === undefined || last >= page.data.head) return
    position = last
  }
}

async function untilAnswered<T extends object>(ask: () => Promise<T>): Promise<T> {
  for (let tries = 0; ; tries++) {
    const outcome = await ask()
    const isUnsettled =
      "lost" in outcome ||
      ("code" in outcome && /^(UNAVAILABLE|UNAUTHENTICATED|RATE_LIMITED)$/.test(`${outcome.code}`))
    if (!isUnsettled || tries === 20) return outcome
    await Bun.sleep(300)
  }
}
