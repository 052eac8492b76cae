import { expect, test } from "bun:test"
import { silentLogger as log } from "@parley/service/log.ts"
import { followEndedSessions } from "./ended-sessions.ts"

test("the feed is read to its end, also where it is long, and again after a failure", async () => {
  const START = Date.now()
  // More ends within the overlap than one answer holds.
  const ends = Array.from({ length: 6 }, (_, i) => ({ id: `s${i}`, endedAt: START + i * 10 }))
  const asked: number[] = []
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch(request) {
      if (request.headers.get("x-parley-secret") !== "secret")
        return new Response(null, { status: 403 })
      const after = Number(new URL(request.url).searchParams.get("after"))
      asked.push(after)
      if (asked.length === 1) return new Response("not yet", { status: 503 })
      const sessions = ends.filter(({ endedAt }) => endedAt > after).slice(0, 3)
      const isCut = sessions.length === 3
      return Response.json({ sessions, now: isCut ? sessions.at(-1)!.endedAt : START + 100 })
    },
  })
  const ended = new Set<string>()
  const { promise, resolve } = Promise.withResolvers<void>()
  using _ = followEndedSessions({
    authUrls: [`http://127.0.0.1:${server.port}`],
    secret: "secret",
    log,
    every: 10,
    onEnded(ids) {
      for (const id of ids) ended.add(id)
      if (ended.size === ends.length) resolve()
    },
  })
  await promise
  // The first question goes back as far as any token that is still valid.
  expect(asked[0]).toBeLessThan(START - 600_000)
  await server.stop(true)
}, 15_000)
