import { expect, test } from "bun:test"
import { failover } from "./failover.ts"

const urls = ["http://a", "http://b", "http://c"]

test("the one that answered last is asked first, and the others where it does not answer", async () => {
  const away = new Set<string>()
  const asked: string[] = []
  const ask = failover(urls, 3_000, 0)
  const question = async (url: string) => {
    asked.push(url)
    if (away.has(url)) throw new Error(`${url} is away`)
    return url
  }
  expect(await ask(question)).toBe("http://a")
  away.add("http://a")
  expect(await ask(question)).toBe("http://b")
  expect(await ask(question)).toBe("http://b")
  away.add("http://b").add("http://c")
  await expect(ask(question)).rejects.toThrow("http://a is away")
  away.delete("http://a")
  expect(await ask(question)).toBe("http://a")
  const [a, b, c] = urls
  expect(asked).toEqual([a, a, b, b, b, c, a, b, c, a] as string[])
})

test("one that hangs is left alone when its share of the time is over", async () => {
  const ask = failover(["http://hanging", "http://answering"], 100, 0)
  const began = performance.now()
  const answer = await ask((url, signal) => {
    if (url === "http://answering") return Promise.resolve("here")
    return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)))
  })
  expect(answer).toBe("here")
  expect(performance.now() - began).toBeGreaterThanOrEqual(49)
})

test("those who ask share them out", async () => {
  const asked = new Set<string>()
  for (let i = 0; i < 100; i++) asked.add(await failover(urls, 3_000)(async (url) => url))
  expect([...asked].sort()).toEqual(urls)
})
