import { afterEach, describe, expect, mock, spyOn, test } from "bun:test"
import { createGate } from "./gate.ts"
import { createHasher, HASHING } from "./hashing.ts"

afterEach(() => {
  mock.restore()
})

describe("passwords", () => {
  test("are hashed with argon2id at the cost that OWASP asks for", async () => {
    const hasher = await createHasher(HASHING)
    const hash = await hasher.hash("correct horse")
    const [, variant, , costs] = hash.split("$")
    expect(variant).toBe("argon2id")
    const [, m, t] = /^m=(\d+),t=(\d+),p=1$/.exec(costs!)!.map(Number)
    expect(m).toBeGreaterThanOrEqual(19_456)
    expect(t).toBeGreaterThanOrEqual(2)
    expect(await hasher.hash("correct horse")).not.toBe(hash)
    expect(await hasher.verify("correct horse", hash)).toBeTrue()
    expect(await hasher.verify("wrong horse", hash)).toBeFalse()
  })

  test("of unknown users are checked against a hash of the same cost, and are wrong", async () => {
    const hasher = await createHasher({ ...HASHING, memoryCost: 64 })
    const verify = spyOn(Bun.password, "verify")
    const hash = await hasher.hash("correct horse")
    expect(await hasher.verify("guess", undefined)).toBeFalse()
    expect(verify).toHaveBeenCalledTimes(1)
    const used = String(verify.mock.calls[0]?.[1])
    const costs = (text: string) => text.split("$").slice(0, 4)
    expect(costs(used)).toEqual(costs(hash))
    expect(used).not.toBe(hash)
  })

  test("are never right where there is no account, whatever the check says", async () => {
    const hasher = await createHasher({ ...HASHING, memoryCost: 8 })
    spyOn(Bun.password, "verify").mockResolvedValue(true)
    expect(await hasher.verify("guess", undefined)).toBeFalse()
  })

  test("take as long for unknown users as for known ones", async () => {
    const hasher = await createHasher(HASHING)
    const hash = await hasher.hash("correct horse")
    const timed = async (known: string | undefined) => {
      const began = performance.now()
      await hasher.verify("guess", known)
      return performance.now() - began
    }
    // In turn, and the fastest of each: what else the machine does only ever adds.
    const [known, unknown]: number[][] = [[], []]
    for (let i = 0; i < 6; i++) {
      known!.push(await timed(hash))
      unknown!.push(await timed(undefined))
    }
    const ratio = Math.min(...unknown!) / Math.min(...known!)
    expect(ratio).toBeGreaterThan(0.5)
    expect(ratio).toBeLessThan(2)
  }, 30_000)
})

describe("the gate", () => {
  /** Jobs that end when they are told to. */
  function jobs(gate: ReturnType<typeof createGate>) {
    const running: { name: string; end: () => void }[] = []
    const start = (name: string) =>
      gate.run(
        () => new Promise<string>((resolve) => running.push({ name, end: () => resolve(name) })),
      )
    return { running, start }
  }
  const settle = () => new Promise(setImmediate)

  test("runs so many at once, the others in order, and refuses who does not fit", async () => {
    const { running, start } = jobs(createGate({ concurrency: 2, queue: 3 }))
    const all = ["a", "b", "c", "d", "e"].map(start)
    await settle()
    expect(running.map(({ name }) => name)).toEqual(["a", "b"])
    await expect(start("f")).rejects.toMatchObject({
      code: "RATE_LIMITED",
      details: { retryAfterMs: expect.any(Number) },
    })
    running[1]!.end()
    expect(await all[1]).toBe("b")
    await settle()
    expect(running.map(({ name }) => name)).toEqual(["a", "b", "c"])
    // A place in the queue is free again.
    all.push(start("g"))
    for (let i = 0; i < running.length; i++) {
      running[i]!.end()
      await settle()
    }
    expect(await Promise.all(all)).toEqual(["a", "b", "c", "d", "e", "g"])
    expect(running.map(({ name }) => name)).toEqual(["a", "b", "c", "d", "e", "g"])
  })

  test("gives the place of a job that failed to the next", async () => {
    const gate = createGate({ concurrency: 1, queue: 1 })
    const failed = gate.run(() => Promise.reject(new Error("no")))
    const next = gate.run(async () => "next")
    await expect(failed).rejects.toThrow("no")
    expect(await next).toBe("next")
    expect(await gate.run(async () => "after")).toBe("after")
  })
})
