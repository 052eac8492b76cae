import type { Random } from "../random.ts"
import type { Kind, Managed } from "../system/process.ts"
import type { Engine, System, Wire } from "../system/system.ts"

/** Something that goes wrong, and then is mended. */
export interface Fault {
  name: string
  /** What it is done to. */
  target: string
  strike(): void | Promise<void>
  /** How long it lasts, in ms. */
  lasts: number
  /** Resolves once nothing of it is left: what was broken has to recover from here on. */
  mend(): void | Promise<void>
}

/** Makes a fault of one kind, at a target that chance decides. */
export interface FaultKind {
  name: string
  make(random: Random): Fault
}

/** From, to, in ms. */
type Span = [number, number]

/** How long faults last. */
export interface Spans {
  frozen: Span
  down: Span
  /** How long people have to do without the bus. */
  away: Span
  wire: Span
  clock: Span
  disk: Span
}

const TWO_HOURS = 2 * 60 * 60_000
/** A clock that libfaketime sets follows its file so late, in ms. */
const CLOCK_FOLLOWS = 1_100

/** Every kind of fault that this system can have. */
export function faultKinds(system: System, spans: Spans): FaultKind[] {
  const { services, wires, clocks, broker, store, disk } = system
  const of = (kind: Kind) => services.filter((service) => service.kind === kind)
  const kinds: FaultKind[] = []

  for (const kind of ["chat", "gateway", "auth"] as const) {
    kinds.push(
      one(`kill ${kind}`, of(kind), (service) => killed([service], 0)),
      one(`freeze ${kind}`, of(kind), (service, random) =>
        frozen(service, random.between(...spans.frozen)),
      ),
    )
  }
  if (of("chat").length > 1) {
    const name = "kill all of chat"
    kinds.push({ name, make: () => ({ name, target: "chat", ...killed(of("chat"), 0) }) })
  }
  if (broker) {
    kinds.push(
      one("broker away", [broker], (it, random) => down(it, random.between(...spans.away))),
      one("broker frozen, chat killed", of("chat"), (service) => ({
        // What the node stores now, it cannot publish; and then it is no more.
        async strike() {
          broker.freeze()
          await Bun.sleep(2_000)
          await service.kill()
        },
        lasts: 0,
        async mend() {
          broker.thaw()
          await service.listening()
        },
      })),
    )
  }
  kinds.push({
    name: "rolling SIGTERM",
    make: (random) => ({
      name: "rolling SIGTERM",
      target: "everything",
      ...rolled(random.shuffled(services)),
    }),
  })
  for (const [name, engine] of [
    ["broker", broker],
    ["store", store],
  ] as const) {
    if (!engine) continue
    kinds.push(
      one(`${name} down`, [engine], (it, random) => down(it, random.between(...spans.down))),
      one(`${name} frozen`, [engine], (it, random) => frozen(it, random.between(...spans.frozen))),
      one(`${name} restarted`, [engine], (it) => restarted(it)),
    )
  }
  for (const how of ["drop", "delay", "hang"] as const) {
    kinds.push(
      one(`TCP: ${how}`, wires, (wire, random) =>
        wired(wire, how, random.between(20, 400), random.between(...spans.wire)),
      ),
    )
  }
  for (const [name, by] of [
    ["clock +2 h", TWO_HOURS],
    ["clock −2 h", -TWO_HOURS],
  ] as const) {
    kinds.push(
      one(
        name,
        [...services, { name: "everything" }],
        ({ name: target }, random): Omit<Fault, "name" | "target"> => {
          const set = target === "everything" ? [...clocks.values()] : [clocks.get(target)!]
          return {
            strike: () => set.forEach((clock) => void clock.shift(by)),
            lasts: random.between(...spans.clock),
            async mend() {
              for (const clock of set) clock.shift(0)
              await Bun.sleep(CLOCK_FOLLOWS)
            },
          }
        },
      ),
    )
  }
  if (disk) {
    kinds.push({
      name: "disk full",
      make: (random) => ({
        name: "disk full",
        target: disk.how,
        strike: () => disk.fill(),
        lasts: random.between(...spans.disk),
        mend: () => disk.free(),
      }),
    })
  }
  if (system.poison) {
    const { poison } = system
    kinds.push({
      name: "poison records",
      make: () => ({
        name: "poison records",
        target: "every topic",
        strike: async () => void (await poison()),
        lasts: 0,
        mend() {},
      }),
    })
  }
  return kinds
}

function one<T extends { name: string }>(
  name: string,
  targets: readonly T[],
  make: (target: T, random: Random) => Omit<Fault, "name" | "target">,
): FaultKind {
  return {
    name,
    make(random) {
      const target = random.pick(targets)
      return { name, target: target.name, ...make(target, random) }
    },
  }
}

/** They come back by themselves. */
const killed = (services: readonly Managed[], lasts: number) => ({
  strike: async () => void (await Promise.all(services.map((service) => service.kill()))),
  lasts,
  mend: async () => void (await Promise.all(services.map((service) => service.listening()))),
})

const frozen = (it: Pick<Managed & Engine, "freeze" | "thaw">, lasts: number) => ({
  strike: () => it.freeze(),
  lasts,
  mend: () => it.thaw(),
})

const down = (engine: Engine, lasts: number) => ({
  strike: () => engine.kill(),
  lasts,
  mend: () => engine.restart(),
})

const restarted = (engine: Engine) => ({
  strike: () => engine.restart(),
  lasts: 0,
  mend() {},
})

/** One after the other, as an upgrade does it. */
const rolled = (services: readonly Managed[]) => ({
  async strike() {
    for (const service of services) {
      await service.terminate()
      await service.listening()
    }
  },
  lasts: 0,
  mend() {},
})

const wired = ({ proxy }: Wire, how: "drop" | "delay" | "hang", late: number, lasts: number) => ({
  strike() {
    if (how === "delay") proxy.delay(late)
    else proxy[how]()
  },
  lasts,
  mend: () => proxy.heal(),
})
