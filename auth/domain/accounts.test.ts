import { describe, expect, test } from "bun:test"
import type { Store } from "../store/store.ts"
import { startParts } from "../test/parts.ts"

const PASSWORD = "correct horse battery staple"
const NEXT = "an entirely new password"
const origin = { address: "203.0.113.7", userAgent: "" }
const alice = { username: "alice", password: PASSWORD }

/** An operation that waits for a test to set it off. */
function armed() {
  let action: (() => Promise<unknown>) | undefined
  return {
    arm(next: () => Promise<unknown>) {
      action = next
    },
    async fire() {
      const now = action
      action = undefined
      await now?.()
    },
  }
}

const viewerOf = ({ user, session }: { user: string; session: string }) => ({
  user,
  session,
  expiresAt: Number.POSITIVE_INFINITY,
})

describe("a change of the password", () => {
  test("lets no sign-in with the old one slip through, however close", async () => {
    const before = armed()
    await using parts = await startParts((store) => ({
      async insertSession(session) {
        await before.fire()
        return store.insertSession(session)
      },
    }))
    const owner = await parts.accounts.signUp(alice, origin)
    // The thief's password was right when it was checked; the session is written after the change was complete.
    before.arm(() => parts.accounts.changePassword(viewerOf(owner), PASSWORD, NEXT, origin))
    await expect(parts.accounts.signIn(alice, origin)).rejects.toMatchObject({
      code: "UNAUTHENTICATED",
    })
    const live = await parts.sessions.list(owner.user)
    expect(live.map(({ id }) => id)).toEqual([owner.session])
  })

  test("ends also a session that began with the old one while it was under way", async () => {
    const before = armed()
    await using parts = await startParts((store) => ({
      async replacePassword(...change) {
        await before.fire()
        return store.replacePassword(...change)
      },
    }))
    const owner = await parts.accounts.signUp(alice, origin)
    let thief = ""
    before.arm(async () => {
      thief = (await parts.accounts.signIn(alice, origin)).session
    })
    await parts.accounts.changePassword(viewerOf(owner), PASSWORD, NEXT, origin)
    expect((await parts.store.session(thief))?.endedAt).toBe(parts.clock.now())
    expect((await parts.store.session(owner.session))?.endedAt).toBeNull()
  })

  test("that dies halfway leaves no other session alive with a new password", async () => {
    let replaced = false
    const seen: { live: number; replaced: boolean }[] = []
    await using parts = await startParts((store) => ({
      async replacePassword(...change) {
        seen.push({ live: (await store.liveSessions(change[0], 0)).length, replaced })
        replaced = await store.replacePassword(...change)
        throw new Error("died")
      },
    }))
    const owner = await parts.accounts.signUp(alice, origin)
    await parts.accounts.signIn(alice, origin)
    const change = parts.accounts.changePassword(viewerOf(owner), PASSWORD, NEXT, origin)
    await expect(change).rejects.toThrow("died")
    expect(seen).toEqual([{ live: 1, replaced: false }])
    expect(replaced).toBeTrue()
  })

  test("that comes second is a CONFLICT", async () => {
    const before = armed()
    await using parts = await startParts((store) => ({
      async replacePassword(...change) {
        await before.fire()
        return store.replacePassword(...change)
      },
    }))
    const owner = viewerOf(await parts.accounts.signUp(alice, origin))
    before.arm(() => parts.accounts.changePassword(owner, PASSWORD, NEXT, origin))
    const second = parts.accounts.changePassword(owner, PASSWORD, "yet another one", origin)
    await expect(second).rejects.toMatchObject({ code: "CONFLICT" })
    await parts.accounts.signIn({ ...alice, password: NEXT }, origin)
  })

  test("counts a wrong guess of the present one like any other", async () => {
    await using parts = await startParts()
    const owner = viewerOf(await parts.accounts.signUp(alice, origin))
    for (let i = 0; i < 10; i++) {
      const guess = parts.accounts.changePassword(owner, "a wrong guess", NEXT, origin)
      await expect(guess).rejects.toMatchObject({
        code: "BAD_INPUT",
        details: { field: "current" },
      })
    }
    const right = parts.accounts.changePassword(owner, PASSWORD, NEXT, origin)
    await expect(right).rejects.toMatchObject({ code: "RATE_LIMITED" })
    await expect(parts.accounts.signIn(alice, origin)).rejects.toMatchObject({
      code: "RATE_LIMITED",
    })
  })
})

describe("guesses", () => {
  /** Remembers how many writes each sign-in made. */
  const counting = (writes: string[]) => (store: Store) => ({
    putCounter(counter: Parameters<Store["putCounter"]>[0]) {
      writes.push(counter.key.split(":")[0]!)
      return store.putCounter(counter)
    },
  })

  test("that are right do not count, however many", async () => {
    await using parts = await startParts(undefined, { guessesPerAddress: 12 })
    await parts.accounts.signUp(alice, origin)
    for (let i = 0; i < 15; i++) await parts.accounts.signIn(alice, origin)
    for (let i = 0; i < 10; i++) {
      const wrong = parts.accounts.signIn({ ...alice, password: "a wrong guess" }, origin)
      await expect(wrong).rejects.toMatchObject({ code: "UNAUTHENTICATED" })
    }
    await expect(parts.accounts.signIn(alice, origin)).rejects.toMatchObject({
      code: "RATE_LIMITED",
    })
  })

  test("cost and count the same for unknown users, and after so many read the same", async () => {
    const writes: string[] = []
    await using parts = await startParts(counting(writes))
    await parts.accounts.signUp(alice, origin)
    const outcome = async (username: string) => {
      writes.length = 0
      const error = await parts.accounts
        .signIn({ username, password: "a wrong guess" }, origin)
        .catch((error) => error)
      return { code: error.code, message: error.message, writes: [...writes] }
    }
    for (let i = 0; i < 12; i++) expect(await outcome("nobody")).toEqual(await outcome("alice"))
    expect((await outcome("alice")).code).toBe("RATE_LIMITED")
    expect((await outcome("ALICE ")).code).toBe("RATE_LIMITED")
  })

  test("with more than a username can be are nobody's", async () => {
    await using parts = await startParts()
    for (const username of ['{"$gt":""}', "x".repeat(10_000), "", "alice'--", "ａｌｉｃｅ"]) {
      const guess = parts.accounts.signIn({ username, password: PASSWORD }, origin)
      await expect(guess).rejects.toMatchObject({ code: "UNAUTHENTICATED" })
    }
  })

  test("at an account that is closed do not count for the address", async () => {
    await using parts = await startParts(undefined, { guessesPerAddress: 12 })
    const guess = (username: string) =>
      parts.accounts.signIn({ username, password: "a wrong guess" }, origin).catch((error) => error)
    for (let i = 0; i < 30; i++) await guess("alice")
    for (let i = 0; i < 2; i++) expect((await guess("bob")).code).toBe("UNAUTHENTICATED")
    expect((await guess("bob")).code).toBe("RATE_LIMITED")
  })

  test("that are refused for the crowd do not count", async () => {
    const writes: string[] = []
    await using parts = await startParts(counting(writes), { guessesPerAddress: 1_000 })
    await parts.accounts.signUp(alice, origin)
    // More at the same moment than the queue holds.
    const crowd = await Promise.allSettled(
      Array.from({ length: 180 }, (_, i) =>
        parts.accounts.signIn({ username: `crowd${i}`, password: "a wrong guess" }, origin),
      ),
    )
    const refused = crowd.findIndex(
      (one) => one.status === "rejected" && one.reason.code === "RATE_LIMITED",
    )
    expect(refused).toBeGreaterThan(0)
    for (let i = 0; i < 10; i++) {
      const guess = parts.accounts.signIn(
        { username: `crowd${refused}`, password: "a wrong guess" },
        origin,
      )
      await expect(guess).rejects.toMatchObject({ code: "UNAUTHENTICATED" })
    }
  }, 30_000)
})

describe("sign-ups", () => {
  test("are limited per address, a /64 being one address", async () => {
    await using parts = await startParts(undefined, { signUpsPerAddress: 3 })
    const signUp = (username: string, address: string) =>
      parts.accounts.signUp({ username, password: PASSWORD }, { ...origin, address })
    for (const [i, host] of ["::1", "::2", ":ffff:0:0:9"].entries()) {
      await signUp(`user${i}`, `2001:db8:0:7${host}`)
    }
    await expect(signUp("late", "2001:db8:0:7::3")).rejects.toMatchObject({
      code: "RATE_LIMITED",
      details: { retryAfterMs: expect.any(Number) },
    })
    await signUp("elsewhere", "2001:db8:0:8::1")
    parts.clock.pass(60 * 60_000)
    await signUp("late", "2001:db8:0:7::3")
  })

  test("that break a rule do not count", async () => {
    await using parts = await startParts(undefined, { signUpsPerAddress: 1 })
    const short = parts.accounts.signUp({ ...alice, password: "short" }, origin)
    await expect(short).rejects.toMatchObject({ code: "BAD_INPUT" })
    await parts.accounts.signUp(alice, origin)
  })
})
