import { afterAll, beforeAll, expect, test } from "bun:test"
import { until } from "@parley/testing/until.ts"
import { type Installation, startInstallation } from "../bench/system/installation.ts"
import { Pair } from "./pair.ts"

let parley: Installation
let pair: Pair

beforeAll(async () => {
  parley = await startInstallation()
  pair = await Pair.open([parley.url])
})
afterAll(async () => {
  pair.close()
  await parley[Symbol.asyncDispose]()
})

const sent = async (count: number) => {
  const due = Date.now() + count * 200
  await until(() => Date.now() > due, `${count} messages`)
}

test("bystanders of no attack notice nothing", async () => {
  pair.begin()
  await sent(15)
  const suffered = await pair.end()
  expect(suffered.sent).toBeGreaterThan(5)
  expect(suffered).toMatchObject({ cuts: 0, lost: 0, doubled: 0, disordered: 0, refusedSends: {} })
  expect(suffered.signIns.tried).toBeGreaterThan(0)
  expect(suffered.p99).toBeLessThan(5_000)
})

test("bystanders of a service that hangs are late, and lose nothing", async () => {
  pair.begin()
  await sent(3)
  process.kill(parley.chat.pid, "SIGSTOP")
  await sent(10)
  process.kill(parley.chat.pid, "SIGCONT")
  const suffered = await pair.end()
  expect(suffered.p99).toBeGreaterThan(1_000)
  expect(suffered.late).toBeGreaterThan(500)
  expect(suffered).toMatchObject({ lost: 0, doubled: 0, disordered: 0 })
})

test("bystanders notice that they are cut, and resume", async () => {
  pair.begin()
  await sent(3)
  const line = Reflect.get(pair, "line") as { hangUp(): void }
  line.hangUp()
  await sent(5)
  const suffered = await pair.end()
  expect(suffered).toMatchObject({ cuts: 1, lost: 0, doubled: 0, disordered: 0 })
})
