import { heaviest, weightsOf } from "@parley/gateway/upstream/placement.ts"
import { partitionOf } from "@parley/platform/partition.ts"
import type { End } from "../load/lines.ts"
import { type Load, startLoad } from "../load/load.ts"
import { eventsDocument } from "../load/socket.ts"
import { cpuPerOperation, inTurn, measure, rate, ratios, type Sample } from "../measure.ts"
import { makePairs, type PairOfPeople, type Person, pairOf, signUp } from "../people.ts"
import { figure } from "../report.ts"
import type { Scenario } from "../scenario.ts"
import { percentile, summary } from "../stats.ts"
import { type ClusterInstallation, startCluster } from "../system/cluster.ts"

const IN_FLIGHT = 16
/** As chat nodes have it unless they are told otherwise. */
const PARTITIONS = 64
const CALM = 100

/** The store is not counted where figures are compared: what stands in for MongoDB here costs what it costs. */
const COUNTED = /^(gateway|chat|auth|kafka)/
const PARTS = {
  "services and broker": COUNTED,
  gateway: /^gateway/,
  "chat nodes": /^chat/,
  broker: /^kafka/,
  "MongoDB-protocol server": /^mongo/,
}

/**
 * Pairs whose two people are on one chat node, beside pairs whose people are on two: the message of the latter goes
 * through Kafka to its reader. And one chat node with everyone, beside four: each with engines of its own.
 */
export const cluster: Scenario = async ({ quick, say }) => {
  const pairsEach = quick ? 4 : 10
  const seconds = quick ? 2 : 4
  const rounds = quick ? 1 : 5
  await using load = await startLoad()
  const saturate =
    (name: string, { parts }: ClusterInstallation) =>
    () =>
      measure(parts, () => load.run("saturate", { name, seconds, inFlight: IN_FLIGHT }))

  say("signing up")
  await using two = await startCluster({ chats: 2, gateways: 1 }, say)
  const { together, apart } = await pairsByPlace(two, pairsEach)
  await open(load, two, "together", together)
  await open(load, two, "apart", apart)
  // Before the other clusters are there: thirteen more processes, each with something to do now and then.
  for (let i = 0; i < 2; i++) await saturate("apart", two)()
  say(`${CALM} messages a second for ${seconds * 2} s`)
  const calm = { name: "apart", perSecond: CALM, seconds: seconds * 2 }
  const latencies = await load.run("atRate", calm)

  await using one = await startCluster({ chats: 1, gateways: 1 }, say)
  await using four = await startCluster({ chats: 4, gateways: 1 }, say)
  await open(load, one, "one node", await makePairs(one.urls[0]!, pairsEach))
  await open(load, four, "four nodes", await makePairs(four.urls[0]!, pairsEach))
  const contenders = {
    together: saturate("together", two),
    apart: saturate("apart", two),
    "one node": saturate("one node", one),
    "four nodes": saturate("four nodes", four),
  }
  say("warming up")
  for (const run of Object.values(contenders)) await run()
  say(`${rounds} rounds of ${seconds} s each`)
  const samples = await inTurn(rounds, contenders)

  const partsOf = (taken: readonly Sample[], kind: RegExp) =>
    Object.keys(taken[0]!.cpu).filter((part) => kind.test(part))
  const cpu = (name: keyof typeof contenders) => {
    const taken = samples[name]
    return cpuPerOperation(taken, partsOf(taken, COUNTED))
  }
  const figures = Object.entries(samples).flatMap(([name, taken]) => [
    figure({ name: `${name}: messages`, unit: "/s", value: summary(rate(taken)) }),
    ...Object.entries(PARTS).map(([part, kind]) =>
      figure({
        name: `${name}: CPU, ${part}`,
        unit: "µs/message",
        value: summary(cpuPerOperation(taken, partsOf(taken, kind))),
      }),
    ),
  ])
  return {
    scenario: "cluster",
    about:
      `${pairsEach} pairs, ${IN_FLIGHT} messages per pair under way; together: both on one chat node, apart: on two; ` +
      "compared by the CPU of gateway, chat nodes, auth and the Kafka broker",
    figures: [
      ...figures,
      figure({
        name: "a message that crosses nodes, against one that does not",
        unit: "× CPU",
        value: ratios(cpu("apart"), cpu("together")),
        atMost: 2,
      }),
      figure({
        name: "four nodes, against one",
        unit: "× CPU",
        value: ratios(cpu("four nodes"), cpu("one node")),
        atMost: 1.15,
      }),
      figure({
        name: `crossing, at ${CALM}/s: at the other end, p50`,
        unit: "ms",
        value: percentile(latencies, 0.5),
        atMost: 15,
      }),
      figure({
        name: `crossing, at ${CALM}/s: at the other end, p99`,
        unit: "ms",
        value: percentile(latencies, 0.99),
        atMost: 60,
      }),
    ],
  }
}

async function open(
  load: Load,
  { urls: [url] }: ClusterInstallation,
  name: string,
  pairs: readonly PairOfPeople[],
): Promise<void> {
  const document = eventsDocument()
  const ends = pairs.map(({ conversation, tokens }): [End, End] => {
    const end = { kind: "parley", url: url!, conversation, document, over: "socket" } as const
    const [a, b] = tokens
    return [
      { ...end, token: a },
      { ...end, token: b },
    ]
  })
  await load.run("openPairs", { name, ends })
}

/** So many pairs on one node, and so many on two, by the gateway's own reckoning. */
async function pairsByPlace({ urls: [url], chats }: ClusterInstallation, each: number) {
  const nodes = chats.map(({ port }) => {
    const own = `http://127.0.0.1:${port}`
    return { url: own, weights: weightsOf(own, PARTITIONS) }
  })
  const placeOf = ({ id }: Person) => heaviest(nodes, partitionOf(id, PARTITIONS), () => true)!.url
  const people = await signUp(url!, each * 8)
  // Where the ports happen to send more people to one node, the pairs that are together live on that one.
  const [here = [], there = []] = nodes
    .map((node) => people.filter((person) => placeOf(person) === node.url))
    .sort((a, b) => b.length - a.length)
  if (there.length < each) throw new Error("Nearly everyone has their place at one node.")
  const take = (from: Person[]) => from.pop()!
  const make = (partners: Person[]) =>
    Promise.all(Array.from({ length: each }, () => pairOf(url!, take(here), take(partners))))
  return { together: await make(here), apart: await make(there) }
}
