import { expect, test } from "bun:test"
import fc from "fast-check"
import { heaviest, weightsOf } from "./placement.ts"

const PARTITIONS = 64
const node = (url: string) => ({ url, weights: weightsOf(url, PARTITIONS) })
type Node = ReturnType<typeof node>

/** Where each partition is. */
const placed = (nodes: readonly Node[], may: (node: Node) => boolean = () => true) =>
  Array.from({ length: PARTITIONS }, (_, partition) => heaviest(nodes, partition, may)?.url)

const urls = fc.uniqueArray(
  fc
    .tuple(fc.nat(255), fc.integer({ min: 1, max: 65_535 }))
    .map(([a, p]) => `http://10.0.0.${a}:${p}`),
  { minLength: 2, maxLength: 12 },
)

test("a node that is added moves what it gets, and nothing else; one that goes moves what it had", () => {
  fc.assert(
    fc.property(urls, (urls) => {
      const nodes = urls.map(node)
      const [added, ...others] = nodes as [Node, ...Node[]]
      const before = placed(others)
      for (const [partition, url] of placed(nodes).entries()) {
        if (url !== added.url) expect(url).toBe(before[partition])
      }
      // Being passed over, as a node is that drains, is the same as not being there.
      expect(placed(nodes, (one) => one !== added)).toEqual(before)
    }),
  )
})

test("every gateway comes to the same end, in whatever order it heard of the nodes", () => {
  fc.assert(
    fc.property(urls, fc.integer(), (urls, seed) => {
      const shuffled = urls.toSorted((a, b) => (Bun.hash(a + seed) < Bun.hash(b + seed) ? -1 : 1))
      expect(placed(shuffled.map(node))).toEqual(placed(urls.map(node)))
    }),
  )
  const equals = ["b", "a", "c"].map((url) => ({ url, weights: Uint32Array.of(7) }))
  expect(heaviest(equals, 0, () => true)?.url).toBe("a")
})

test("nodes get equal shares, even those whose names are almost the same", () => {
  const many = 4_096
  const nodes = Array.from({ length: 8 }, (_, i) => {
    const url = `http://chat-${i}.chat:4002`
    return { url, weights: weightsOf(url, many) }
  })
  const share = new Map<string, number>()
  for (let partition = 0; partition < many; partition++) {
    const { url } = heaviest(nodes, partition, () => true)!
    share.set(url, (share.get(url) ?? 0) + 1)
  }
  for (const { url } of nodes) expect(share.get(url)).toBeWithin(many / 8 - 100, many / 8 + 100)
})

test("where none may have it, it is nowhere", () => {
  expect(heaviest([node("http://a")], 3, () => false)).toBeUndefined()
  expect(heaviest([], 3, () => true)).toBeUndefined()
})
