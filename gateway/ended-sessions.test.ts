import { expect, test } from "bun:test"
import { silentLogger as log } from "@parley/platform/log.ts"
import { until } from "@parley/testing/until.ts"
import { followEndedSessions } from "./ended-sessions.ts"

/** Some auths on one store, whose clock stands still until a test moves it, and a gateway's view of it. */
function startFeed(settings: { auths?: number; pageSize?: number } = {}) {
  const { auths = 1, pageSize = 100 } = settings
  const ends: { id: string; endedAt: number }[] = []
  const told: string[] = []
  const asked: { auth: number; after: number }[] = []
  const live: string[] = []
  const pages: string[][] = []
  const feed = {
    ends,
    told,
    asked,
    live,
    pages,
    heard: 0,
    now: Date.now(),
    broken: new Set<number>(),
  }
  const servers = Array.from({ length: auths }, (_, auth) =>
    Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      async fetch(request) {
        if (request.headers.get("x-parley-secret") !== "secret")
          return new Response(null, { status: 403 })
        if (request.method === "POST") {
          const { ids } = (await request.json()) as { ids: string[] }
          pages.push(ids)
          if (feed.broken.has(auth)) return new Response("not now", { status: 503 })
          return Response.json({ ended: ids.filter((id) => id.startsWith("ended")) })
        }
        const after = Number(new URL(request.url).searchParams.get("after"))
        asked.push({ auth, after })
        if (feed.broken.has(auth)) return new Response("not now", { status: 503 })
        const found = ends.filter(({ endedAt }) => endedAt > after)
        const sessions = found.toSorted((a, b) => a.endedAt - b.endedAt).slice(0, pageSize)
        const more = found.length > pageSize
        return Response.json({ sessions, now: more ? sessions.at(-1)!.endedAt : feed.now, more })
      },
    }),
  )
  const following = followEndedSessions({
    authUrls: servers.map(({ port }) => `http://127.0.0.1:${port}`),
    secret: "secret",
    log,
    every: 10,
    onEnded: (ids) => told.push(...ids),
    onHeard: () => {
      feed.heard += 1
    },
    live: () => live,
  })
  return {
    ...feed,
    /** Ends a session, by the store's clock. */
    end(id: string) {
      ends.push({ id, endedAt: this.now })
    },
    pass(ms: number) {
      feed.now += ms
    },
    get now() {
      return feed.now
    },
    /** Everything was asked for once more since now. */
    async asksAgain() {
      const before = asked.length
      await until(() => asked.length >= before + 2, "two more questions")
    },
    async [Symbol.asyncDispose]() {
      following[Symbol.dispose]()
      for (const server of servers) await server.stop(true)
    },
  }
}

test("the first question is for all that matters, the next ones for what is new, and a bit of what was", async () => {
  await using feed = startFeed()
  feed.end("alice")
  await until(() => feed.told.includes("alice"), "the end of alice's session")
  expect(feed.asked[0]?.after).toBe(0)
  await feed.asksAgain()
  expect(feed.asked.at(-1)?.after).toBe(feed.now - 5_000)
  feed.pass(60_000)
  feed.end("bob")
  await until(() => feed.told.includes("bob"), "the end of bob's session")
  await feed.asksAgain()
  feed.told.length = 0
  await feed.asksAgain()
  expect(new Set(feed.told)).toEqual(new Set(["bob"]))
})

test("a long feed is read to its end, also where more has ended at once than one answer holds", async () => {
  await using feed = startFeed({ pageSize: 3 })
  const ids = Array.from({ length: 20 }, (_, i) => `session ${i}`)
  for (const id of ids) {
    feed.end(id)
    feed.pass(10)
  }
  await until(() => new Set(feed.told).size === ids.length, "all of them")
  // In one go: nobody waits a second for each page.
  const afters = feed.asked.slice(0, 7).map(({ after }) => after)
  expect(afters).toEqual(afters.toSorted((a, b) => a - b))
})

test("an end is heard of wherever the store's clock has gone meanwhile", async () => {
  await using feed = startFeed()
  const HOURS = 60 * 60_000
  for (const jump of [-2 * HOURS, 4 * HOURS, -5_500, -2 * HOURS, 1]) {
    await feed.asksAgain()
    feed.pass(jump)
    const id = `after ${jump} at ${feed.now}`
    feed.end(id)
    await until(() => feed.told.includes(id), id)
  }
})

test("any auth will do, and while none answers it is asked again", async () => {
  await using feed = startFeed({ auths: 2 })
  await feed.asksAgain()
  feed.broken.add(feed.asked.at(-1)!.auth)
  feed.end("alice")
  await until(() => feed.told.includes("alice"), "the other auth's answer")
  for (const auth of [0, 1]) feed.broken.add(auth)
  await feed.asksAgain()
  feed.pass(60_000)
  feed.end("bob")
  await feed.asksAgain()
  expect(feed.told).not.toContain("bob")
  feed.broken.clear()
  await until(() => feed.told.includes("bob"), "an answer after the outage")
})

test("after a silence that is longer than the feed, each session that is here is asked for, in pages", async () => {
  await using feed = startFeed({ auths: 2 })
  await feed.asksAgain()
  feed.live.push(...Array.from({ length: 2_300 }, (_, i) => (i % 1_000 ? `s${i}` : `ended ${i}`)))
  feed.pass(14 * 60_000)
  await feed.asksAgain()
  expect(feed.pages).toEqual([])
  for (const auth of [0, 1]) feed.broken.add(auth)
  feed.pass(16 * 60_000)
  await feed.asksAgain()
  feed.broken.delete(1)
  await until(() => feed.told.length >= 3, "the ends")
  expect(feed.told).toEqual(["ended 0", "ended 1000", "ended 2000"])
  expect(feed.pages.slice(-3).map(({ length }) => length)).toEqual([1_000, 1_000, 300])
  const before = feed.pages.length
  await feed.asksAgain()
  expect(feed.pages).toHaveLength(before)
})
