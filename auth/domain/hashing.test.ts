import { afterEach, describe, expect, mock, spyOn, test } from "bun:test"
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

test("passwords are computed so many at once, the others in order", async () => {
  const ends: (() => void)[] = []
  spyOn(Bun.password, "verify").mockImplementation(
    () => new Promise((resolve) => ends.push(() => resolve(true))),
  )
  const hasher = await createHasher({ ...HASHING, memoryCost: 8 })
  const done: string[] = []
  const all = ["a", "b", "c", "d"].map((name) =>
    hasher.verify(name, "hash").then(() => done.push(name)),
  )
  expect(ends).toHaveLength(2)
  ends[1]!()
  await all[1]
  expect(ends).toHaveLength(3)
  ends[2]!()
  await all[2]
  ends[0]!()
  await all[0]
  ends[3]!()
  await all[3]
  expect(done).toEqual(["b", "c", "a", "d"])
})
