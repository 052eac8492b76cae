import { describe, expect, test } from "bun:test"
import { MAX_LATE_REFRESHES, REFRESHES_PER_SESSION } from "../limits.ts"
import { startParts } from "../test/parts.ts"
import { createRefreshTokens } from "./refresh-tokens.ts"
import { REFRESH_GRACE_MS, REFRESH_LIFETIME } from "./sessions.ts"

const refused = { code: "UNAUTHENTICATED" }
const MINUTE = 60_000
const HOUR = 60 * MINUTE

describe("refresh tokens", () => {
  test("go on for ever, each with a successor of its own", async () => {
    await using parts = await startParts()
    let { refreshToken } = await parts.sessions.begin("alice", "phone")
    const seen = new Set([refreshToken])
    for (let i = 0; i < 20; i++) {
      parts.clock.pass(REFRESH_LIFETIME * 1000 - 1)
      refreshToken = (await parts.sessions.refresh(refreshToken)).refreshToken
      seen.add(refreshToken)
    }
    expect(seen.size).toBe(21)
    parts.clock.pass(REFRESH_LIFETIME * 1000)
    await expect(parts.sessions.refresh(refreshToken)).rejects.toMatchObject(refused)
  })

  test("lead the slower of two tabs to the same successor", async () => {
    let other: (() => Promise<unknown>) | undefined
    await using parts = await startParts((store) => ({
      async rotateSession(...rotation) {
        const faster = other
        other = undefined
        await faster?.()
        return store.rotateSession(...rotation)
      },
    }))
    const { refreshToken } = await parts.sessions.begin("alice", "phone")
    let faster = ""
    // Between the slower one's look and its write.
    other = async () => {
      faster = (await parts.sessions.refresh(refreshToken)).refreshToken
    }
    const slower = (await parts.sessions.refresh(refreshToken)).refreshToken
    expect(slower).toBe(faster)
    expect(slower).not.toBe(refreshToken)
    parts.clock.pass(REFRESH_GRACE_MS)
    expect((await parts.sessions.refresh(refreshToken)).refreshToken).toBe(faster)
    await parts.sessions.refresh(faster)
  })

  test("stay good until the next one has been presented, however long an answer was lost", async () => {
    await using parts = await startParts()
    let token = (await parts.sessions.begin("alice", "phone")).refreshToken
    for (const ms of [11_000, 60 * MINUTE, 24 * 60 * MINUTE]) {
      const lost = await parts.sessions.refresh(token)
      parts.clock.pass(ms)
      const again = await parts.sessions.refresh(token)
      expect(again.refreshToken).toBe(lost.refreshToken)
      expect(again.session).toBe(lost.session)
      // Next time all is well.
      token = (await parts.sessions.refresh(again.refreshToken)).refreshToken
    }
  })

  test("end the session when used after the next one was presented, by thief or owner", async () => {
    await using parts = await startParts()
    for (const passed of [0, 5_000, 11_000]) {
      const { refreshToken: stolen, session } = await parts.sessions.begin("alice", "phone")
      const next = await parts.sessions.refresh(stolen)
      // The thief is given what the owner has, and is found out once one of them goes on.
      expect((await parts.sessions.refresh(stolen)).refreshToken).toBe(next.refreshToken)
      const last = await parts.sessions.refresh(next.refreshToken)
      parts.clock.pass(passed)
      const reused = parts.sessions.refresh(stolen)
      await expect(reused).rejects.toMatchObject({ ...refused, user: "alice", session })
      await expect(parts.sessions.refresh(last.refreshToken)).rejects.toMatchObject(refused)
    }
    expect(await parts.sessions.list("alice")).toEqual([])
    expect((await parts.sessions.endedSince(0)).sessions).toHaveLength(3)
  })

  test("that two hold, who renew in turn, end the session after some rounds", async () => {
    await using parts = await startParts()
    const { refreshToken } = await parts.sessions.begin("alice", "phone")
    let [owner, thief] = [refreshToken, refreshToken]
    let rounds = 0
    const renewInTurn = async () => {
      while (rounds < 50) {
        owner = (await parts.sessions.refresh(owner)).refreshToken
        parts.clock.pass(5 * MINUTE)
        thief = (await parts.sessions.refresh(thief)).refreshToken
        parts.clock.pass(5 * MINUTE)
        rounds += 1
      }
    }
    await expect(renewInTurn()).rejects.toMatchObject(refused)
    expect(rounds).toBe(MAX_LATE_REFRESHES - 1)
    expect(await parts.sessions.list("alice")).toEqual([])
  })

  test("of a client that loses an answer now and then go on, and asking often costs no writes", async () => {
    let writes = 0
    await using parts = await startParts((store) => ({
      putCounter(counter) {
        writes += 1
        return store.putCounter(counter)
      },
    }))
    let token = (await parts.sessions.begin("alice", "phone")).refreshToken
    for (let i = 0; i < 40; i++) {
      let next = await parts.sessions.refresh(token)
      parts.clock.pass(5 * MINUTE)
      writes = 0
      if (i % 5 > 0) for (let n = 0; n < 3; n++) next = await parts.sessions.refresh(token)
      expect(writes).toBe(i % 5 > 0 ? 1 : 0)
      token = next.refreshToken
    }
  })

  test("change nothing where whoever asked has gone, and may have asked elsewhere", async () => {
    await using parts = await startParts()
    const first = await parts.sessions.begin("alice", "phone")
    const next = await parts.sessions.refresh(first.refreshToken)
    for (const { refreshToken } of [first, next]) {
      parts.clock.pass(REFRESH_GRACE_MS + 1)
      await expect(parts.sessions.refresh(refreshToken, () => false)).rejects.toMatchObject({
        code: "UNAVAILABLE",
      })
    }
    parts.clock.pass(REFRESH_GRACE_MS + 1)
    await parts.sessions.refresh(next.refreshToken)
  })

  test("of one session are asked with so many times at once, and then at their pace; others go on", async () => {
    let looks = 0
    await using parts = await startParts((store) => ({
      session(id) {
        looks += 1
        return store.session(id)
      },
    }))
    const first = await parts.sessions.begin("alice", "phone")
    const other = await parts.sessions.begin("alice", "laptop")
    const { burst, perSecond } = REFRESHES_PER_SESSION
    // Whichever of the session's tokens it is.
    const { refreshToken } = await parts.sessions.refresh(first.refreshToken)
    for (let i = 1; i < burst; i++) await parts.sessions.refresh(first.refreshToken)
    looks = 0
    for (const token of [first.refreshToken, refreshToken]) {
      await expect(parts.sessions.refresh(token)).rejects.toMatchObject({
        code: "RATE_LIMITED",
        details: { retryAfterMs: 1_000 / perSecond },
      })
    }
    expect(looks).toBe(0)
    await parts.sessions.refresh(other.refreshToken)
    // A token that is none of the session's costs it nothing.
    await parts.sessions.refresh(`${other.refreshToken}x`).catch(() => {})
    parts.clock.pass(1_000 / perSecond)
    await parts.sessions.refresh(refreshToken)
  })

  test("of a session that ends during the renewal are refused", async () => {
    let end: (() => Promise<unknown>) | undefined
    await using parts = await startParts((store) => ({
      async rotateSession(...rotation) {
        await end?.()
        return store.rotateSession(...rotation)
      },
    }))
    const { refreshToken, session } = await parts.sessions.begin("alice", "phone")
    end = () => parts.sessions.end(session)
    await expect(parts.sessions.refresh(refreshToken)).rejects.toMatchObject(refused)
  })

  test("cannot be made, changed or guessed without the secret, and end nothing then", async () => {
    await using parts = await startParts()
    const { refreshToken, session } = await parts.sessions.begin("alice", "phone")
    await parts.sessions.refresh(refreshToken)
    const [id, generation, seal] = refreshToken.split(".")
    const foreign = createRefreshTokens(async () => "another secret")
    for (const token of [
      await foreign.issue(session, 1),
      `${id}.0.${seal}`,
      `${id}.2.${seal}`,
      `${id}.${generation}.${seal?.slice(1)}`,
      `${id}.0${generation}.${seal}`,
      `${id}.${generation}.`,
      `${refreshToken}\n`,
      ` ${refreshToken}`,
      `${"9".repeat(10_000)}.1.${seal}`,
      "__proto__.1.constructor",
    ]) {
      await expect(parts.sessions.refresh(token)).rejects.toMatchObject(refused)
      await parts.sessions.endByToken(token)
    }
    expect(await parts.sessions.list("alice")).toHaveLength(1)
  })
})

describe("sessions", () => {
  test("know their refresh token by its hash, and accept no other one", async () => {
    await using parts = await startParts((store) => ({
      insertSession: (session) => store.insertSession({ ...session, tokenHash: "another one's" }),
    }))
    const { refreshToken } = await parts.sessions.begin("alice", "phone")
    await expect(parts.sessions.refresh(refreshToken)).rejects.toMatchObject(refused)
  })

  test("are live for their own user only, and until they end", async () => {
    await using parts = await startParts()
    const { session } = await parts.sessions.begin("alice", "phone")
    const viewer = { user: "alice", session, expiresAt: 0 }
    await parts.sessions.mustBeLive(viewer)
    for (const other of [
      { ...viewer, user: "bob" },
      { ...viewer, session: "unknown" },
    ]) {
      await expect(parts.sessions.mustBeLive(other)).rejects.toMatchObject(refused)
    }
    await parts.sessions.end(session)
    await expect(parts.sessions.mustBeLive(viewer)).rejects.toMatchObject(refused)
  })

  test("remember when they were seen: at the sign-in and at each renewal", async () => {
    await using parts = await startParts()
    const { refreshToken, session } = await parts.sessions.begin("alice", "phone")
    const began = parts.clock.now()
    parts.clock.pass(7 * MINUTE)
    await parts.sessions.refresh(refreshToken)
    expect(await parts.store.session(session)).toMatchObject({
      device: "phone",
      createdAt: began,
      lastSeenAt: began + 7 * MINUTE,
    })
  })

  test("are listed without telling when they were renewed, but for the hour", async () => {
    await using parts = await startParts()
    const began = parts.clock.now()
    expect(began % HOUR).toBe(0)
    parts.clock.pass(20 * MINUTE)
    const tokens = new Map<string, string>()
    for (const device of ["phone", "laptop"]) {
      tokens.set(device, (await parts.sessions.begin("alice", device)).refreshToken)
      parts.clock.pass(MINUTE)
    }
    const renew = async (device: string) =>
      tokens.set(device, (await parts.sessions.refresh(tokens.get(device)!)).refreshToken)
    const shown = async () =>
      (await parts.sessions.list("alice")).map(({ device, lastSeenAt }) => [
        device,
        (lastSeenAt - began) / MINUTE,
      ])
    // Never before they began.
    const first = [
      ["laptop", 21],
      ["phone", 20],
    ]
    expect(await shown()).toEqual(first)
    await renew("phone")
    expect(await shown()).toEqual(first)
    parts.clock.pass(60 * MINUTE)
    await renew("phone")
    const later = [
      ["phone", 60],
      ["laptop", 21],
    ]
    expect(await shown()).toEqual(later)
    parts.clock.pass(7 * MINUTE)
    await renew("laptop")
    const both = await shown()
    expect(both).toEqual([
      ["laptop", 60],
      ["phone", 60],
    ])
    parts.clock.pass(7 * MINUTE)
    await renew("phone")
    expect(await shown()).toEqual(both)
  })

  test("are bounded per account: the one that was seen least recently makes room", async () => {
    await using parts = await startParts()
    const first = await parts.sessions.begin("alice", "phone 0")
    for (let i = 1; i <= 100; i++) {
      parts.clock.pass(1)
      await parts.sessions.begin("alice", `phone ${i}`)
    }
    const live = await parts.sessions.list("alice")
    expect(live).toHaveLength(100)
    expect(live.map(({ id }) => id)).not.toContain(first.session)
    await expect(parts.sessions.refresh(first.refreshToken)).rejects.toMatchObject(refused)
  })

  test("that ended are told for as long as their tokens may live, oldest end first", async () => {
    await using parts = await startParts()
    const ids: string[] = []
    for (let i = 0; i < 3; i++) {
      const { session } = await parts.sessions.begin("alice", "phone")
      parts.clock.pass(MINUTE)
      await parts.sessions.end(session)
      ids.push(session)
    }
    const lastEnd = parts.clock.now()
    parts.clock.pass(13 * MINUTE)
    const told = await parts.sessions.endedSince(0)
    expect(told.now).toBe(parts.clock.now())
    expect(told.sessions.map(({ id }) => id)).toEqual(ids)
    expect(told.sessions.at(-1)?.endedAt).toBe(lastEnd)
    const later = await parts.sessions.endedSince(lastEnd - 1)
    expect(later.sessions.map(({ id }) => id)).toEqual(ids.slice(2))
    expect((await parts.sessions.endedSince(lastEnd)).sessions).toEqual([])
    await parts.prune()
    expect((await parts.sessions.endedSince(0)).sessions).toHaveLength(3)
    parts.clock.pass(60 * MINUTE)
    expect((await parts.sessions.endedSince(0)).sessions).toEqual([])
  })

  test("that ended are told page by page, with none left out where many ended at once", async () => {
    const ends = Array.from({ length: 25_000 }, (_, i) => ({ id: `s${i}`, back: (i % 7) * 50 }))
    await using parts = await startParts((store) => ({
      async endedSessions(after, limit) {
        const now = await store.time()
        return ends
          .map(({ id, back }) => ({ id, endedAt: now - back }))
          .filter(({ endedAt }) => endedAt > after)
          .sort((a, b) => a.endedAt - b.endedAt)
          .slice(0, limit)
      },
    }))
    const told = new Set<string>()
    let pages = 0
    for (let after = 0; ; pages += 1) {
      const { sessions, now, more } = await parts.sessions.endedSince(after)
      for (const { id } of sessions) told.add(id)
      after = now
      if (!more) break
    }
    expect(told.size).toBe(ends.length)
    expect(pages).toBeWithin(2, 5)
  })

  test("that end while they are asked for are told now or the next time", async () => {
    let end: (() => Promise<unknown>) | undefined
    await using parts = await startParts((store) => ({
      async endedSessions(...asked) {
        const found = await store.endedSessions(...asked)
        // Right after the look.
        await end?.()
        return found
      },
    }))
    const { session } = await parts.sessions.begin("alice", "phone")
    end = async () => {
      parts.clock.pass(1)
      await parts.sessions.end(session)
      parts.clock.pass(1_000)
      end = undefined
    }
    const { now } = await parts.sessions.endedSince(0)
    const { sessions } = await parts.sessions.endedSince(now)
    expect(sessions.map(({ id }) => id)).toEqual([session])
  })
})
