import { closeSync, fdatasyncSync, openSync, writeSync } from "node:fs"
import { join } from "node:path"
import type { End } from "../load/lines.ts"
import { startLoad } from "../load/load.ts"
import { eventsDocument } from "../load/socket.ts"
import { cpuPerOperation, inTurn, measure } from "../measure.ts"
import { makePairs } from "../people.ts"
import { figure } from "../report.ts"
import { type Scenario, SERVICES } from "../scenario.ts"
import { median, percentile, summary } from "../stats.ts"
import { startInstallation } from "../system/installation.ts"

const PAGE_BYTES = 4_096
/** The figure to reach is meant for a disk that takes no longer than this for an fsync, in ms. */
const QUICK_DISK_MS = 2

/** One pair, one message at a time, beside what an fsync of the same disk takes. */
export const pair: Scenario = async ({ quick, say }) => {
  const rounds = quick ? 1 : 6
  const messages = quick ? 200 : 500
  await using parley = await startInstallation()
  await using load = await startLoad()
  // A pair of its own for each way of sending: whoever has two sockets gets everything twice.
  const pairs = await makePairs(parley.url, 2)
  for (const [index, over] of (["socket", "http"] as const).entries()) {
    const { conversation, tokens } = pairs[index]!
    const document = eventsDocument()
    const end = { kind: "parley", url: parley.url, conversation, document, over } as const
    const [a, b] = tokens
    const ends: [End, End] = [
      { ...end, token: a },
      { ...end, token: b },
    ]
    await load.run("openPairs", { name: over, ends: [ends] })
  }

  say("warming up")
  for (const name of ["socket", "http"]) await load.run("oneByOne", { name, messages })
  say(`${rounds} rounds of ${messages} messages, an fsync after each round's`)
  const send = (name: string) => async () => {
    const latencies = { arrived: [] as number[], acknowledged: [] as number[] }
    const sample = await measure(parley.services, async () => {
      const began = performance.now()
      Object.assign(latencies, await load.run("oneByOne", { name, messages }))
      return { operations: messages, seconds: (performance.now() - began) / 1_000 }
    })
    return { ...latencies, sample }
  }
  const taken = await inTurn(rounds, { socket: send("socket"), http: send("http") })
  const syncs = Array.from({ length: rounds }, () => fsyncs(parley.dataDir, messages / 2))

  const disk = syncs.flat()
  const figures = [
    figure({ name: "write + fdatasync of 4 KiB: p50", unit: "ms", value: median(disk) }),
    figure({ name: "write + fdatasync of 4 KiB: p99", unit: "ms", value: percentile(disk, 0.99) }),
  ]
  for (const over of ["socket", "http"] as const) {
    const name = over === "socket" ? "pair" : "pair, sent by HTTP"
    const samples = taken[over]
    const of = (kind: "arrived" | "acknowledged", p: number) =>
      summary(samples.map((round) => percentile(round[kind], p)))
    const target = over === "socket" ? { atMost: 5, applies: median(disk) <= QUICK_DISK_MS } : {}
    figures.push(
      figure({ name: `${name}: at the other end, p50`, unit: "ms", value: of("arrived", 0.5) }),
      figure({
        name: `${name}: at the other end, p99`,
        unit: "ms",
        value: of("arrived", 0.99),
        ...target,
      }),
      figure({ name: `${name}: acknowledged, p50`, unit: "ms", value: of("acknowledged", 0.5) }),
      figure({
        name: `${name}: CPU, all services`,
        unit: "µs/message",
        value: summary(
          cpuPerOperation(
            samples.map(({ sample }) => sample),
            SERVICES,
          ),
        ),
      }),
    )
  }
  return {
    scenario: "pair",
    about:
      `one pair, ${rounds * messages} messages one after the other, from send to the other socket; ` +
      `p99 is to be reached where an fsync takes up to ${QUICK_DISK_MS} ms`,
    figures,
  }
}

/** How long it takes to write a page and have it on the disk, in ms, so many times. */
function fsyncs(folder: string, count: number): number[] {
  const file = openSync(join(folder, "fsync-probe"), "w")
  const page = Buffer.alloc(PAGE_BYTES, 1)
  try {
    return Array.from({ length: count }, (_, index) => {
      const began = performance.now()
      writeSync(file, page, 0, PAGE_BYTES, index * PAGE_BYTES)
      fdatasyncSync(file)
      return performance.now() - began
    })
  } finally {
    closeSync(file)
  }
}
