import { describe, expect, test } from "bun:test"
import type { ParleyError } from "@parley/platform/errors.ts"
import { until } from "@parley/testing/until.ts"
import {
  FRESH_TURN_EVERY_MS,
  GUESS_WINDOW_MS,
  GUESSES_PER_ACCOUNT,
  GUESSES_PER_ACCOUNT_AND_ADDRESS,
  GUESSES_PER_ACCOUNT_AND_NETWORK,
  MAX_SESSIONS,
  NETWORK_FACTOR,
  PROFILE_CHANGES_PER_ACCOUNT,
  PROFILE_CHANGES_WINDOW_MS,
  SEARCHES_PER_ACCOUNT,
  SIGN_INS_PER_ACCOUNT,
  SIGN_INS_WINDOW_MS,
  USED_TURN_EVERY_MS,
} from "../limits.ts"
import type { Counter, Store } from "../store/store.ts"
import { startParts, stoppedClock } from "../test/parts.ts"
import { createTurns } from "./turns.ts"

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

/** Thousands of counters: written to a disk they would only take time here. */
const countersInMemory = (): Partial<Store> => {
  const held = new Map<string, Counter>()
  return {
    counter: async (key) => held.get(key),
    async putCounter(counter) {
      if (counter.version !== (held.get(counter.key)?.version ?? 0) + 1) return false
      held.set(counter.key, counter)
      return true
    },
  }
}

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

  test("moves its own session to a token that no copy of the old one leads to", async () => {
    const before = armed()
    await using parts = await startParts((store) => ({
      async replacePassword(...change) {
        await before.fire()
        return store.replacePassword(...change)
      },
    }))
    const refused = { code: "UNAUTHENTICATED" }
    for (const [username, copyIsFaster] of [
      ["alice", false],
      ["bob", true],
    ] as const) {
      const owner = await parts.accounts.signUp({ ...alice, username }, origin)
      let copy = owner.refreshToken
      if (copyIsFaster) {
        before.arm(async () => {
          copy = (await parts.sessions.refresh(copy)).refreshToken
        })
      }
      const moved = await parts.accounts.changePassword(viewerOf(owner), PASSWORD, NEXT, origin)
      expect(moved).toMatchObject({ user: owner.user, session: owner.session })
      const next = await parts.sessions.refresh(moved!.refreshToken)
      const { session } = owner
      await expect(parts.sessions.refresh(copy)).rejects.toMatchObject({ ...refused, session })
      await expect(parts.sessions.refresh(next.refreshToken)).rejects.toMatchObject(refused)
    }
  })

  test("refuses the old token also to the one who comes first with it", async () => {
    await using parts = await startParts()
    const owner = await parts.accounts.signUp(alice, origin)
    const moved = await parts.accounts.changePassword(viewerOf(owner), PASSWORD, NEXT, origin)
    for (const { refreshToken } of [owner, moved!]) {
      await expect(parts.sessions.refresh(refreshToken)).rejects.toMatchObject({
        code: "UNAUTHENTICATED",
      })
    }
  })

  test("leaves a session alone that ended meanwhile", async () => {
    const before = armed()
    await using parts = await startParts((store) => ({
      async rotateSession(...rotation) {
        await before.fire()
        return store.rotateSession(...rotation)
      },
    }))
    const owner = await parts.accounts.signUp(alice, origin)
    before.arm(() => parts.sessions.end(owner.session))
    const moved = await parts.accounts.changePassword(viewerOf(owner), PASSWORD, NEXT, origin)
    expect(moved).toBeUndefined()
    await parts.accounts.signIn({ ...alice, password: NEXT }, origin)
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

  test("counts wrong guesses of the present one by the session, and others' guesses not at all", async () => {
    await using parts = await startParts()
    const owner = viewerOf(await parts.accounts.signUp(alice, origin))
    const laptop = viewerOf(await parts.accounts.signIn(alice, origin))
    for (let i = 0; i < 20; i++) {
      await parts.accounts.signIn({ ...alice, password: "a wrong guess" }, origin).catch(() => {})
    }
    for (let i = 0; i < 10; i++) {
      const guess = parts.accounts.changePassword(owner, "a wrong guess", NEXT, origin)
      await expect(guess).rejects.toMatchObject({
        code: "BAD_INPUT",
        details: { field: "current" },
      })
    }
    const right = parts.accounts.changePassword(owner, PASSWORD, NEXT, origin)
    await expect(right).rejects.toMatchObject({ code: "RATE_LIMITED" })
    await parts.accounts.changePassword(laptop, PASSWORD, NEXT, origin)
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

  test("at an account that is closed count for the address, and cost no writes beyond its limit", async () => {
    const writes: string[] = []
    await using parts = await startParts(counting(writes), { guessesPerAddress: 30 })
    const guess = (username: string) =>
      parts.accounts.signIn({ username, password: "a wrong guess" }, origin).catch((error) => error)
    const codes: string[] = []
    for (let i = 0; i < 30; i++) codes.push((await guess("alice")).code)
    expect(codes.slice(0, 10)).toEqual(Array(10).fill("UNAUTHENTICATED"))
    expect(codes.slice(10)).toEqual(Array(20).fill("RATE_LIMITED"))
    writes.length = 0
    for (const username of ["alice", "bob", "carol"]) {
      expect((await guess(username)).code).toBe("RATE_LIMITED")
    }
    expect(writes).toEqual([])
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

describe("an account that strangers guess at", () => {
  /** An address of a botnet. */
  const from = (i: number) => ({ ...origin, address: `198.51.${Math.floor(i / 250)}.${i % 250}` })
  const wrong = { ...alice, password: "a wrong guess" }
  const codeOf = (signIn: Promise<unknown>): Promise<string> =>
    signIn.then(
      () => "OK",
      (error) => error.code,
    )
  const afterMs = (signIn: Promise<unknown>): Promise<number> =>
    signIn.then(
      () => 0,
      (error) => error.details.retryAfterMs,
    )

  test("lets in a device that has signed in before, and counts that device's own guesses", async () => {
    await using parts = await startParts(countersInMemory)
    const { user } = await parts.accounts.signUp(alice, origin)
    const owner = (await parts.store.credentialsById(user))!
    const device = await parts.devices.welcome(undefined, owner)
    for (let i = 0; i < 80; i++) await codeOf(parts.accounts.signIn(wrong, from(i)))
    // From the strangers' own address, too.
    const mine = { ...from(3), device }
    expect(await codeOf(parts.accounts.signIn(alice, mine))).toBe("OK")
    for (let i = 0; i < 10; i++) {
      expect(await codeOf(parts.accounts.signIn(wrong, mine))).toBe("UNAUTHENTICATED")
    }
    expect(await codeOf(parts.accounts.signIn(alice, mine))).toBe("RATE_LIMITED")
    parts.clock.pass(GUESS_WINDOW_MS + 1)
    expect(await codeOf(parts.accounts.signIn(alice, mine))).toBe("OK")
  })

  test("takes neither another account's device cookie nor one from before the password changed", async () => {
    await using parts = await startParts()
    const { user, session } = await parts.accounts.signUp(alice, origin)
    const mallory = await parts.accounts.signUp({ ...alice, username: "mallory" }, origin)
    const of = async (id: string) => (await parts.store.credentialsById(id))!
    const devices = [
      await parts.devices.welcome(undefined, await of(mallory.user)),
      await parts.devices.welcome(undefined, await of(user)),
    ]
    await parts.accounts.changePassword(
      { user, session, expiresAt: 0 },
      PASSWORD,
      "another password",
      origin,
    )
    for (let i = 0; i < 10; i++) await codeOf(parts.accounts.signIn(wrong, origin))
    for (const device of devices) {
      const signIn = parts.accounts.signIn(alice, { ...origin, device })
      expect(await codeOf(signIn)).toBe("RATE_LIMITED")
    }
  })

  test("lets a new device in with the right password, at the time that it was told", async () => {
    await using parts = await startParts(countersInMemory)
    await parts.accounts.signUp(alice, origin)
    for (let i = 0; i < GUESSES_PER_ACCOUNT; i++) {
      expect(await codeOf(parts.accounts.signIn(wrong, from(i)))).toBe("UNAUTHENTICATED")
    }
    // A botnet asks for turns as fast as it can, each of its addresses again and again.
    for (let i = 0; i < 40; i++) await codeOf(parts.accounts.signIn(wrong, from(100 + i)))
    for (let i = 0; i < 40; i++) await codeOf(parts.accounts.signIn(wrong, from(100 + i)))
    const ms = await afterMs(parts.accounts.signIn(alice, origin))
    expect(ms).toBe(41 * FRESH_TURN_EVERY_MS)
    // Those that had theirs stand in another queue from then on.
    for (let i = 0; i < 40; i++) {
      parts.clock.pass(FRESH_TURN_EVERY_MS)
      expect(await codeOf(parts.accounts.signIn(wrong, from(100 + i)))).toBe("UNAUTHENTICATED")
      expect(await codeOf(parts.accounts.signIn(wrong, from(100 + i)))).toBe("RATE_LIMITED")
      expect(await afterMs(parts.accounts.signIn(alice, origin))).toBe(
        (40 - i) * FRESH_TURN_EVERY_MS,
      )
    }
    parts.clock.pass(FRESH_TURN_EVERY_MS)
    expect(await codeOf(parts.accounts.signIn(alice, origin))).toBe("OK")
    // The used ones wait for each other, and a fresh one for none of them.
    expect(await afterMs(parts.accounts.signIn(alice, from(200)))).toBe(FRESH_TURN_EVERY_MS)
    expect(await afterMs(parts.accounts.signIn(wrong, from(139)))).toBeGreaterThan(
      30 * USED_TURN_EVERY_MS,
    )
  })

  test("writes nothing down for those who do not wait for their turn", async () => {
    const writes: string[] = []
    await using parts = await startParts((store) => ({
      putCounter(counter) {
        writes.push(counter.key)
        return store.putCounter(counter)
      },
    }))
    for (let i = 0; i <= GUESSES_PER_ACCOUNT; i++) {
      await codeOf(parts.accounts.signIn(wrong, from(i)))
    }
    writes.length = 0
    for (let i = 0; i < 20; i++) {
      const early = parts.accounts.signIn(wrong, from(GUESSES_PER_ACCOUNT))
      expect(await afterMs(early)).toBe(FRESH_TURN_EVERY_MS)
    }
    expect(writes).toEqual([])
  })

  test("hears few guesses from ever new addresses, of IPv6 above all", async () => {
    await using parts = await startParts(countersInMemory)
    await parts.accounts.signUp(alice, origin)
    let heard = 0
    const guess = async (address: string) => {
      const code = await codeOf(parts.accounts.signIn(wrong, { ...origin, address }))
      if (code === "UNAUTHENTICATED") heard += 1
    }
    // One /64, then one /48.
    for (let i = 1; i < 40; i++) await guess(`2001:db8:1:1::${i.toString(16)}`)
    expect(heard).toBe(GUESSES_PER_ACCOUNT_AND_ADDRESS)
    for (let i = 1; i < 60; i++) await guess(`2001:db8:1:${(i + 1).toString(16)}::1`)
    expect(heard).toBe(GUESSES_PER_ACCOUNT_AND_NETWORK)
    // An hour of a guess a second, each from a /48 of its own.
    heard = 0
    for (let i = 1; i <= 3_600; i++) {
      parts.clock.pass(1_000)
      await guess(`2001:db9:${i.toString(16)}::1`)
    }
    expect(heard).toBeLessThanOrEqual(4 * GUESSES_PER_ACCOUNT)
  }, 60_000)

  test("is not helped by right passwords of the guesser's own account in between", async () => {
    await using parts = await startParts(countersInMemory, { guessesPerAddress: 20 })
    await parts.accounts.signUp(alice, origin)
    const own = { username: "mallory", password: PASSWORD }
    await parts.accounts.signUp(own, origin)
    const heard: string[] = []
    for (let i = 0; i < 40; i++) {
      heard.push(await codeOf(parts.accounts.signIn({ ...wrong, username: `user${i}` }, origin)))
      await codeOf(parts.accounts.signIn(own, origin))
    }
    expect(heard.filter((code) => code === "UNAUTHENTICATED")).toHaveLength(20)
  })
})

test("an account signs in so many times a day, and goes on where it is signed in", async () => {
  await using parts = await startParts(countersInMemory)
  const { user } = await parts.accounts.signUp(alice, origin)
  const signIn = () => parts.accounts.signIn(alice, origin)
  for (let i = 0; i < SIGN_INS_PER_ACCOUNT; i++) await signIn()
  await expect(signIn()).rejects.toMatchObject({ code: "RATE_LIMITED" })
  expect(await parts.sessions.list(user)).toHaveLength(MAX_SESSIONS)
  parts.clock.pass(SIGN_INS_WINDOW_MS * 1.02)
  await signIn()
}, 30_000)

test("a profile changes so many times an hour; what breaks a rule does not count, and refusals cost no writes", async () => {
  let writes = 0
  await using parts = await startParts((store) => ({
    async putCounter(counter) {
      writes += 1
      return store.putCounter(counter)
    },
    async updateProfile(...change) {
      writes += 1
      return store.updateProfile(...change)
    },
  }))
  const viewer = viewerOf(await parts.accounts.signUp(alice, origin))
  const bob = viewerOf(await parts.accounts.signUp({ ...alice, username: "bob" }, origin))
  const change = (name: string, by = viewer) => parts.accounts.updateProfile(by, { name })
  await expect(change("")).rejects.toMatchObject({ code: "BAD_INPUT" })
  for (let i = 0; i < PROFILE_CHANGES_PER_ACCOUNT; i++) await change(`Alice ${i}`)
  writes = 0
  await expect(change("Alice once more")).rejects.toMatchObject({
    code: "RATE_LIMITED",
    details: { retryAfterMs: PROFILE_CHANGES_WINDOW_MS },
  })
  expect(writes).toBe(0)
  await change("Bob", bob)
  parts.clock.pass(PROFILE_CHANGES_WINDOW_MS)
  expect((await change("Alice")).name).toBe("Alice")
})

test("an account searches for people so many times at once, and goes on at its pace; others go on", async () => {
  await using parts = await startParts()
  const viewer = viewerOf(await parts.accounts.signUp(alice, origin))
  const bob = viewerOf(await parts.accounts.signUp({ ...alice, username: "bob" }, origin))
  const search = (by = viewer) => parts.accounts.search(by, "ali", 1)
  for (let i = 0; i < SEARCHES_PER_ACCOUNT.burst; i++) expect(await search()).toHaveLength(1)
  const wait = 1_000 / SEARCHES_PER_ACCOUNT.perSecond
  await expect(search()).rejects.toMatchObject({
    code: "RATE_LIMITED",
    details: { retryAfterMs: wait },
  })
  expect(await search(bob)).toHaveLength(1)
  parts.clock.pass(wait)
  expect(await search()).toHaveLength(1)
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

  test("are limited for a /48 too, which holds 65,536 of those", async () => {
    await using parts = await startParts(countersInMemory, { signUpsPerAddress: 2 })
    const signUp = (i: number) =>
      parts.accounts.signUp(
        { username: `user${i}`, password: PASSWORD },
        { ...origin, address: `2001:db8:1:${i.toString(16)}::1` },
      )
    for (let i = 0; i < 2 * NETWORK_FACTOR; i++) await signUp(i)
    await expect(signUp(99)).rejects.toMatchObject({ code: "RATE_LIMITED" })
  })

  test("that break a rule do not count", async () => {
    await using parts = await startParts(undefined, { signUpsPerAddress: 1 })
    const short = parts.accounts.signUp({ ...alice, password: "short" }, origin)
    await expect(short).rejects.toMatchObject({ code: "BAD_INPUT" })
    await parts.accounts.signUp(alice, origin)
  })
})

describe("a turn at an account that is being guessed at", () => {
  const MINUTE = 60_000
  const DAY = 24 * 60 * MINUTE
  function world() {
    const clock = stoppedClock()
    const store = countersInMemory() as Store
    const turns = createTurns({ store, clock, message: "Wait." })
    /** What the address is told to wait; 0 where it is let in. */
    const ask = (address: string) =>
      turns.take("alice", address).then(
        () => 0,
        ({ details }: ParleyError) => details.retryAfterMs!,
      )
    return { clock, ask }
  }

  test("comes 2 s after the one before to an address that had none in the last day, else after 20 s", async () => {
    const { clock, ask } = world()
    expect([await ask("a"), await ask("b")]).toEqual([2_000, 4_000])
    clock.pass(2_000)
    expect([await ask("a"), await ask("a")]).toEqual([0, 20_000])
    clock.pass(20_000)
    expect(await ask("a")).toBe(0)
    clock.pass(DAY)
    expect(await ask("a")).toBe(2_000)
  })

  test("waits two minutes for its address", async () => {
    const { clock, ask } = world()
    for (const [late, wait] of [
      [2 * MINUTE, 0],
      [2 * MINUTE + 1, 20_000],
    ] as const) {
      clock.pass(2 * DAY)
      clock.pass((await ask("a")) + late)
      expect(await ask("a")).toBe(wait)
    }
  })
})

describe("sign-ins at once", () => {
  /** Each looks an account up before it hashes, which the test holds back. */
  async function flooded(count: number, by: (i: number) => { account: string; address: string }) {
    const held = Promise.withResolvers<void>()
    let running = 0
    let refused = 0
    const parts = await startParts((store) => ({
      async counter(key) {
        running += 1
        await held.promise
        return store.counter(key)
      },
    }))
    const flood = Array.from({ length: count }, (_, i) => {
      const { account, address } = by(i)
      const given = { username: account, password: PASSWORD }
      return parts.accounts.signIn(given, { address, userAgent: "" }).catch(({ code }) => {
        if (code === "RATE_LIMITED") refused += 1
      })
    })
    await until(() => running > 0, "the first")
    for (let i = 0; i < 20; i++) await new Promise(setImmediate)
    const seen = { running, refused }
    held.resolve()
    await Promise.all(flood)
    await parts[Symbol.asyncDispose]()
    return seen
  }
  const address = (i: number) => `198.51.${i >> 8}.${i & 255}`

  test("for one account are two, and 32 that wait", async () => {
    const seen = await flooded(40, (i) => ({ account: "alice", address: address(i) }))
    expect(seen).toEqual({ running: 2, refused: 6 })
  })

  test("from one address are four, and 64 that wait", async () => {
    const seen = await flooded(80, (i) => ({ account: `user${i}`, address: address(0) }))
    expect(seen).toEqual({ running: 4, refused: 12 })
  })

  test("of all are four, and 128 that wait", async () => {
    const seen = await flooded(140, (i) => ({ account: `user${i}`, address: address(i) }))
    expect(seen).toEqual({ running: 4, refused: 8 })
  })
})
