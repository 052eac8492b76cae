import { expect, test } from "bun:test"
import { murmur2, partitionOf } from "./partition.ts"

// The vectors of Kafka's own UtilsTest.
const VECTORS: [string, number][] = [
  ["21", -973932308],
  ["foobar", -790332482],
  ["a-little-bit-long-string", -985981536],
  ["a-little-bit-longer-string", -1486304829],
  ["lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971],
  ["abc", 479470107],
]

test.each(VECTORS)("murmur2 of %p is Kafka's", (text, hash) => {
  expect(murmur2(Buffer.from(text))).toBe(hash)
})

test("murmur2 reads the bytes of a view, not those around it", () => {
  const around = Buffer.from("xxfoobarxx")
  expect(murmur2(around.subarray(2, 8))).toBe(-790332482)
})

test("a user's channel is a partition that exists, and users spread over all of them", () => {
  const partitions = Array.from({ length: 5_000 }, (_, i) => partitionOf(`user-${i}`, 64))
  expect(Math.min(...partitions)).toBe(0)
  expect(Math.max(...partitions)).toBe(63)
  const counts = partitions.reduce(
    (counts, at) => counts.set(at, (counts.get(at) ?? 0) + 1),
    new Map(),
  )
  expect(counts.size).toBe(64)
  expect(Math.max(...counts.values())).toBeLessThan(2 * (5_000 / 64))
  expect(partitionOf("ü", 64)).toBe((murmur2(Buffer.from("ü")) & 0x7fffffff) % 64)
})
