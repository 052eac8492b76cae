import { inRoot } from "@parley/platform/machine/root.ts"
import { startChild } from "@parley/testing/child.ts"
import type { End } from "../load/lines.ts"
import { startLoad } from "../load/load.ts"
import { eventsDocument } from "../load/socket.ts"
import { cpuPerOperation, inTurn, measure, rate, ratios } from "../measure.ts"
import { makePairs } from "../people.ts"
import { type Figure, figure } from "../report.ts"
import { type Scenario, SERVICES } from "../scenario.ts"
import { summary } from "../stats.ts"
import { startInstallation } from "../system/installation.ts"

const IN_FLIGHT = 16

const VARIANTS = {
  flow: { over: "socket", document: eventsDocument() },
  "flow, sender's name joined from auth": {
    over: "socket",
    document: eventsDocument("id username name"),
  },
  "flow, sent by HTTP": { over: "http", document: eventsDocument() },
} as const
const RELAY = "raw relay"

/** 20 pairs that write to each other as fast as they can, beside a relay that does nothing but pass frames on. */
export const flow: Scenario = async ({ quick, say }) => {
  const pairsEach = quick ? 5 : 20
  const seconds = quick ? 0.5 : 4
  const rounds = quick ? 1 : 5
  await using parley = await startInstallation()
  await using relay = await startChild(
    "relay",
    [process.execPath, "--no-env-file", inRoot("cli/bench/peers/relay.ts")],
    { NODE_ENV: "production" },
  )
  await using load = await startLoad()

  // Pairs of its own for each variant: whoever has two sockets gets everything twice.
  const variants = Object.entries(VARIANTS)
  say(`signing up ${variants.length * pairsEach * 2} people`)
  const pairs = await makePairs(parley.url, variants.length * pairsEach)
  for (const [index, [name, variant]] of variants.entries()) {
    const own = pairs.slice(index * pairsEach, (index + 1) * pairsEach)
    const ends = own.map(({ conversation, tokens }): [End, End] => {
      const end = { kind: "parley", url: parley.url, conversation, ...variant } as const
      const [a, b] = tokens
      return [
        { ...end, token: a },
        { ...end, token: b },
      ]
    })
    await load.run("openPairs", { name, ends })
  }
  const url = `http://127.0.0.1:${relay.port}`
  const ends = Array.from({ length: pairsEach }, (_, index): [End, End] => {
    const end = { kind: "relay", url, pair: String(index) } as const
    return [end, end]
  })
  await load.run("openPairs", { name: RELAY, ends })

  const saturate = (name: string, seconds: number) => () =>
    measure([...parley.services, relay, load], () =>
      load.run("saturate", { name, seconds, inFlight: IN_FLIGHT }),
    )
  const names = [...Object.keys(VARIANTS), RELAY]
  say("warming up")
  for (const name of names) await saturate(name, seconds)()
  say(`${rounds} rounds of ${seconds} s each`)
  const samples = await inTurn(
    rounds,
    Object.fromEntries(names.map((name) => [name, saturate(name, seconds)])),
  )

  const figures: Figure[] = []
  const floor = samples[RELAY]!
  for (const name of Object.keys(VARIANTS)) {
    const taken = samples[name]!
    const isMain = name === "flow"
    const add = (what: string, unit: string, value: number[], target = {}) =>
      figures.push(figure({ name: `${name}: ${what}`, unit, value: summary(value), ...target }))
    add("messages", "/s", rate(taken), isMain ? { atLeast: 2_500 } : {})
    const all = cpuPerOperation(taken, SERVICES)
    add("CPU, all services", "µs/message", all, isMain ? { atMost: 400 } : {})
    for (const service of SERVICES) {
      add(`CPU, ${service}`, "µs/message", cpuPerOperation(taken, [service]))
    }
    add("CPU, load generator", "µs/message", cpuPerOperation(taken, ["load"]))
    const times = ratios(all, cpuPerOperation(floor, ["relay"]))
    figures.push(figure({ name: `${name}: CPU, against the relay`, unit: "×", value: times }))
  }
  figures.push(figure({ name: `${RELAY}: messages`, unit: "/s", value: summary(rate(floor)) }))
  const relayed = summary(cpuPerOperation(floor, ["relay"]))
  figures.push(figure({ name: `${RELAY}: CPU`, unit: "µs/message", value: relayed }))
  return {
    scenario: "flow",
    about:
      `${pairsEach} pairs, ${IN_FLIGHT} messages per pair under way, each counted when it is acknowledged (stored, fsynced) ` +
      "and the other end has it; the load generator takes a core of its own",
    figures,
  }
}
