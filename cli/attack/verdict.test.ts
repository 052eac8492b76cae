import { describe, expect, test } from "bun:test"
import type { Suffered } from "./pair.ts"
import { type Base, judge, type Ran } from "./verdict.ts"

const MIB = 2 ** 20
const well: Suffered = {
  ...{ sent: 50, p50: 6, p99: 40, max: 60, late: 0, cuts: 0, why: [] },
  ...{ refusedSends: {}, signIns: { tried: 3, slowest: 90, refused: {} } },
  ...{ lost: 0, doubled: 0, disordered: 0 },
}
const idle = { gateway: 100 * MIB, auth: 80 * MIB, chat: 70 * MIB, web: 100 * MIB }
const base: Base = { rest: well, idle, shared: false }
const ran: Ran = {
  ...{ attack: "a", variant: "b", outcome: { counts: {}, broken: [] } },
  ...{ suffered: well, peak: idle, incidents: [] },
}
const suffering = (more: Partial<Suffered>): Ran => ({ ...ran, suffered: { ...well, ...more } })

test("an attack that no bystander notices came to nothing", () => {
  expect(judge(ran, base, false)).toEqual([])
})

describe("an attack did not come to nothing where", () => {
  test.each<[string, Ran, RegExp]>([
    ["bystanders are cut", suffering({ cuts: 1, why: ["1012"] }), /cut 1 times \(1012\)/],
    ["a message is lost", suffering({ lost: 1 }), /lost/],
    ["a message comes twice", suffering({ doubled: 1 }), /twice/],
    ["an event is out of order", suffering({ disordered: 1 }), /out of order/],
    ["a send is refused", suffering({ refusedSends: { RATE_LIMITED: 2 } }), /2 × RATE_LIMITED/],
    [
      "a sign-in is refused",
      suffering({ signIns: { tried: 1, slowest: 1, refused: { UNAVAILABLE: 1 } } }),
      /sign-ins of bystanders failed: 1 × UNAVAILABLE/,
    ],
    ["messages are slow", suffering({ p99: 251 }), /251 ms at p99/],
    ["a message is late", suffering({ late: 300 }), /late for 0\.3 s/],
    ["nothing was tried", suffering({ sent: 0 }), /sent nothing/],
    ["a service grows", { ...ran, peak: { ...idle, auth: 400 * MIB } }, /auth took 400 MiB/],
    ["the attacker gets what they want", { ...ran, outcome: { counts: {}, broken: ["x"] } }, /^x$/],
    ["a service has to be ended", { ...ran, incidents: ["y"] }, /^y$/],
  ])("%s", (_, run, says) => {
    expect(judge(run, base, false)).toEqual([expect.stringMatching(says)])
  })
})

test("while hashing is flooded a second is granted", () => {
  expect(judge(suffering({ p99: 900 }), base, true)).toEqual([])
  expect(judge(suffering({ p99: 1_001 }), base, true)).toHaveLength(1)
})

test("on a shared machine lateness is judged by the figure at rest, and all else as ever", () => {
  const shared: Base = { ...base, rest: { ...well, p99: 200 }, shared: true }
  expect(judge(suffering({ p99: 1_600, late: 1_000 }), shared, false)).toEqual([])
  expect(judge(suffering({ p99: 1_601 }), shared, false)).toHaveLength(1)
  expect(judge(suffering({ cuts: 1, why: ["1012"] }), shared, false)).toHaveLength(1)
  expect(judge({ ...ran, peak: { ...idle, chat: 500 * MIB } }, shared, false)).toHaveLength(1)
})
