import { expect, test } from "bun:test"
import { createEquals } from "./equals.ts"

test("the one that answered last is asked first, and the others where it does not answer", async () => {
  const away = new Set<string>()
  const asked: string[] = []
  const ask = createEquals(["a", "b", "c"])
  const question = async (url: string) => {
    asked.push(url)
    if (away.has(url)) throw new Error(`${url} is away`)
    return url
  }
  expect(await ask(question)).toBe("a")
  away.add("a")
  expect(await ask(question)).toBe("b")
  expect(await ask(question)).toBe("b")
  away.add("b").add("c")
  await expect(ask(question)).rejects.toThrow("a is away")
  away.delete("a")
  expect(await ask(question)).toBe("a")
  expect(asked.join("")).toBe("aabbbcabca")
})
