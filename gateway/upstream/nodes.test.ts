import { expect, test } from "bun:test"
import { silentLogger as log } from "@parley/platform/log.ts"
import { until } from "@parley/testing/until.ts"
import { followNodes, nodeUrl } from "./nodes.ts"

const SECRET = "the secret of the link"

/** A node of chat that is asked for the list, and answers what a test says. */
interface Node extends Disposable {
  url: string
  asked: number
  answer(): unknown
  stop(): void
}

function startNode(answer: () => unknown): Node {
  const node = {
    asked: 0,
    answer,
    url: "",
    stop: () => void server.stop(true),
    [Symbol.dispose]: () => void server.stop(true),
  }
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      node.asked++
      if (new URL(request.url).pathname !== "/internal/nodes") throw new Error(request.url)
      if (request.headers.get("x-parley-secret") !== SECRET)
        return new Response("", { status: 403 })
      const answer = await node.answer()
      return answer instanceof Response ? answer : Response.json(answer)
    },
  })
  node.url = `http://127.0.0.1:${server.port}`
  return node
}

const list = (...urls: string[]) => ({
  partitions: 64,
  nodes: urls.map((url) => ({ id: url, url, draining: false })),
})

function follow(...seeds: string[]) {
  const lists: string[][] = []
  const following = followNodes({
    seeds,
    secret: SECRET,
    log,
    every: 10,
    onList: (nodes) =>
      lists.push(nodes.map(({ url, draining }) => (draining ? `${url} is draining` : url))),
  })
  return { lists, last: () => lists.at(-1), [Symbol.dispose]: () => following[Symbol.dispose]() }
}

test("one seed is enough to find all nodes; when it is gone, the others are asked", async () => {
  using other = startNode(() => list(other.url))
  const seed = startNode(() => list(seed.url, other.url))
  using following = follow(`${seed.url}/`)
  await until(() => following.lists.length > 2)
  expect(following.last()).toEqual([seed.url, other.url])
  expect(other.asked).toBe(0)
  seed.stop()
  await until(() => following.last()?.length === 1)
  expect(following.last()).toEqual([other.url])
})

test("a seed that is not there, or frozen, is passed over", async () => {
  using frozen = startNode(() => new Promise(() => {}))
  using node = startNode(() => list(node.url))
  using following = follow("http://127.0.0.1:1", frozen.url, node.url)
  await until(() => following.lists.length > 3)
  expect(following.last()).toEqual([node.url])
  // The one that answered is asked from then on.
  const { asked } = frozen
  expect(asked).toBeLessThanOrEqual(1)
  const { length } = following.lists
  await until(() => following.lists.length > length + 3)
  expect(frozen.asked).toBe(asked)
})

test("while there is no answer to be had, what was known last goes on; what does not parse is none", async () => {
  using node = startNode(() => list("http://127.0.0.1:1"))
  using following = follow(node.url)
  await until(() => following.lists.length > 0)
  for (const answer of [
    new Response("not yet", { status: 503 }),
    new Response("what?", { status: 404 }),
    new Response("{"),
    { nodes: [] },
    list(),
    { partitions: 0, nodes: list("http://a").nodes },
    { partitions: 64, nodes: [{ id: "1", url: "http://a" }] },
    list("nowhere:"),
    list("file:///etc/passwd"),
    {
      partitions: 64,
      nodes: Array.from({ length: 1_001 }, (_, i) => list(`http://a${i}`).nodes[0]),
    },
  ]) {
    const { asked } = node
    node.answer = () => (answer instanceof Response ? answer.clone() : answer)
    await until(() => node.asked > asked + 2)
    const { length } = following.lists
    await until(() => node.asked > asked + 4)
    expect([answer, following.lists.length]).toEqual([answer, length])
  }
  node.answer = () => list("http://127.0.0.1:2")
  await until(() => following.last()?.[0] === "http://127.0.0.1:2")
})

test("where none knows the question, the seeds are the nodes, for chat is of an older version", async () => {
  using old = startNode(() => new Response("", { status: 404 }))
  using following = follow(old.url, "http://127.0.0.1:1")
  await until(() => following.lists.length > 0)
  expect(following.last()).toEqual([old.url, "http://127.0.0.1:1"])
})

test("a node may say that it is where it was asked, and one in two lives is there once", async () => {
  using node = startNode(() => list("/"))
  using following = follow(node.url)
  await until(() => following.lists.length > 0)
  expect(following.last()).toEqual([node.url])
  const life = (id: string, draining: boolean) => ({ id, url: node.url, draining })
  node.answer = () => ({ partitions: 64, nodes: [life("1", true), life("2", false)] })
  await until(() => following.lists.length > 3)
  expect(following.last()).toEqual([node.url])
  node.answer = () => ({ partitions: 64, nodes: [life("1", true), life("2", true)] })
  await until(() => following.last()?.[0] === `${node.url} is draining`)
})

test("an address is written in one way", () => {
  expect(nodeUrl("HTTP://Chat:80/")).toBe("http://chat")
  expect(nodeUrl("http://127.0.0.1:4002")).toBe("http://127.0.0.1:4002")
  // That is where the gateway itself is, not where the node is.
  expect(nodeUrl("http://0.0.0.0:4002", "http://chat:80")).toBe("http://chat:4002")
  expect(nodeUrl("http://[::]:4002", "http://10.0.0.1:1")).toBe("http://10.0.0.1:4002")
})

test("a list of more than 1,000 nodes is none", async () => {
  const many = (count: number) =>
    list(...Array.from({ length: count }, (_, i) => `http://127.0.0.1:${i + 1}`))
  let count = 1_000
  let asked = 0
  using node = startNode(() => {
    asked += 1
    return many(count)
  })
  const lists: number[] = []
  using _ = followNodes({
    ...{ seeds: [node.url], secret: SECRET, log, every: 10 },
    onList(nodes) {
      lists.push(nodes.length)
      count = 1_001
    },
  })
  await until(() => asked > 1)
  await new Promise(setImmediate)
  expect(lists).toEqual([1_000])
})
