import { describe, expect, test } from "bun:test"
import { type Claimant, createFairSemaphore, type FairGateOptions } from "./fair-semaphore.ts"

const OPTIONS: FairGateOptions = {
  concurrency: 2,
  perAccount: 2,
  queue: 6,
  waitingPerAccount: 6,
  waitingPerAddress: 6,
}

/** Jobs that end when they are told to. */
function jobs(options: Partial<FairGateOptions> = {}) {
  const semaphore = createFairSemaphore({ ...OPTIONS, ...options })
  const running: { name: string; end: () => void }[] = []
  const began: string[] = []
  const start = (name: string, by: Partial<Claimant> = {}) => {
    const done = semaphore.run({ address: "somewhere", account: name, ...by }, () => {
      began.push(name)
      return new Promise<string>((resolve) => running.push({ name, end: () => resolve(name) }))
    })
    done.catch(() => {})
    return done
  }
  /** Lets the job that has run longest end, until none is left. */
  const drain = async () => {
    for (let next = running.shift(); next; next = running.shift()) {
      next.end()
      await settle()
    }
    return began
  }
  return { semaphore, running, start, drain }
}
const settle = () => new Promise(setImmediate)
const refused = {
  code: "RATE_LIMITED",
  details: { retryAfterMs: expect.any(Number) },
}

describe("the semaphore", () => {
  test("runs so many at once, the others in order, and refuses what does not fit", async () => {
    const { semaphore, start, drain } = jobs({ queue: 3 })
    const all = ["a", "b", "c", "d", "e"].map((name) => start(name))
    await settle()
    expect(semaphore.load()).toEqual({ running: 2, waiting: 3 })
    await expect(start("f")).rejects.toMatchObject(refused)
    expect(await drain()).toEqual(["a", "b", "c", "d", "e"])
    expect(await Promise.all(all)).toEqual(["a", "b", "c", "d", "e"])
    expect(semaphore.load()).toEqual({ running: 0, waiting: 0 })
  })

  test("gives the place of a job that failed to the next", async () => {
    const { semaphore } = jobs({ concurrency: 1, queue: 1 })
    const by = { address: "somewhere", account: "alice" }
    const failed = semaphore.run(by, () => Promise.reject(new Error("no")))
    const next = semaphore.run(by, async () => "next")
    await expect(failed).rejects.toThrow("no")
    expect(await next).toBe("next")
    expect(await semaphore.run(by, async () => "after")).toBe("after")
  })

  test("serves addresses in turn, and the accounts of one address in turn", async () => {
    const { start, drain } = jobs({ concurrency: 1, queue: 20, waitingPerAddress: 20 })
    for (const name of ["flood 1", "flood 2", "flood 3"]) start(name, { account: "mallory" })
    start("neighbour", { account: "nora" })
    start("elsewhere 1", { address: "elsewhere", account: "alice" })
    start("elsewhere 2", { address: "elsewhere", account: "alice" })
    start("third", { address: "third", account: "mallory" })
    await settle()
    expect(await drain()).toEqual([
      ...["flood 1", "elsewhere 1", "neighbour", "third"],
      ...["elsewhere 2", "flood 2", "flood 3"],
    ])
  })

  test("serves an account once a round, however many addresses ask for it", async () => {
    const { start, drain } = jobs({ concurrency: 1, queue: 40 })
    for (let i = 0; i < 12; i++) start(`m${i}`, { address: `botnet ${i}`, account: `own ${i % 2}` })
    for (const name of ["a1", "a2", "a3"]) start(name, { address: "home", account: name })
    await settle()
    const order = await drain()
    expect(["a1", "a2", "a3"].map((name) => order.indexOf(name))).toEqual([2, 5, 8])
  })

  test("serves the addresses that ask for one account in turn", async () => {
    const { start, drain } = jobs({ concurrency: 1, queue: 20 })
    for (let i = 0; i < 3; i++) start(`a${i}`, { address: "botnet a", account: "alice" })
    for (let i = 0; i < 3; i++) start(`b${i}`, { address: "botnet b", account: "alice" })
    start("owner", { address: "home", account: "alice" })
    await settle()
    expect(await drain()).toEqual(["a0", "b0", "owner", "a1", "b1", "a2", "b2"])
  })

  test("keeps places free that one account may not have", async () => {
    const { start, running, drain } = jobs({ perAccount: 1 })
    const mine = { account: "mallory" }
    start("m1", mine)
    start("m2", { ...mine, address: "elsewhere" })
    start("a1", { account: "alice" })
    await settle()
    expect(running.map(({ name }) => name)).toEqual(["m1", "a1"])
    expect(await drain()).toEqual(["m1", "a1", "m2"])
  })

  test("that is full refuses the longest part of the queue, and not the one who comes", async () => {
    const { start, drain } = jobs()
    for (const name of ["r1", "r2"]) start(name, { account: "runs" })
    const flood = ["m1", "m2", "m3", "m4", "m5", "m6"].map((name) =>
      start(name, { account: "mallory" }),
    )
    const neighbour = start("neighbour", { account: "nora" })
    await expect(flood[5]!).rejects.toMatchObject(refused)
    const elsewhere = start("elsewhere", { address: "elsewhere", account: "alice" })
    await expect(flood[4]!).rejects.toMatchObject(refused)
    await expect(start("m7", { account: "mallory" })).rejects.toMatchObject(refused)
    expect(await drain()).toEqual(["r1", "r2", "elsewhere", "m1", "neighbour", "m2", "m3", "m4"])
    await Promise.all([neighbour, elsewhere])
  })

  test("refuses a flood at one account from many addresses, and not the one who comes", async () => {
    const { start, drain } = jobs()
    for (const name of ["r1", "r2"]) start(name, { account: "runs" })
    const flood = Array.from({ length: 6 }, (_, i) =>
      start(`m${i}`, { address: `botnet ${i}`, account: "victim" }),
    )
    const alice = start("alice", { address: "elsewhere" })
    await expect(flood[5]!).rejects.toMatchObject(refused)
    await drain()
    expect(await alice).toBe("alice")
  })

  test("bounds what waits for one account and from one address, whatever place there is", async () => {
    const { start } = jobs({ queue: 100, waitingPerAccount: 2, waitingPerAddress: 3 })
    for (const name of ["r1", "r2", "m1", "m2"]) start(name, { account: "mallory" })
    await expect(start("m3", { account: "mallory" })).rejects.toMatchObject(refused)
    const third = start("n1", { account: "nora" })
    const more = start("o1", { account: "oscar" })
    const settled = await Promise.race([third, more, start("p1")]).catch((error) => error)
    expect(settled).toMatchObject(refused)
  })
})
