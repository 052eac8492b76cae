import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { readdirSync } from "node:fs"
import { newDatabase, openTestMongo } from "@parley/engines/test/mongo.ts"
import { SECRET_HEADER } from "@parley/link/protocol.ts"
import { createTokenVerifier, remoteKeys } from "@parley/platform/tokens.ts"
import { decodeJwt } from "jose"
import { FRESH_TURN_EVERY_MS } from "./limits.ts"
import { type Device, PASSWORD, SECRET, startWorld, type World } from "./test/world.ts"

/** On a busy machine; in ms. */
setDefaultTimeout(60_000)
const HOURS = 60 * 60 * 1000

let mongo: Awaited<ReturnType<typeof openTestMongo>>
let two: Awaited<ReturnType<typeof startTwo>>
beforeAll(async () => {
  mongo = await openTestMongo()
  two = await startTwo({ guessesPerAddress: 30 })
  // The first start ever fetches.
}, 25 * 60_000)
afterAll(async () => {
  await two[Symbol.asyncDispose]()
  await mongo[Symbol.asyncDispose]()
})

/** Two auths on one MongoDB, started at the same moment, whose clocks differ by four hours. */
async function startTwo(settings = {}) {
  const database = newDatabase(mongo)
  const start = (offset: number) =>
    startWorld({ ...settings, mongodbUrl: database.url }, {}, offset)
  const [early, late] = await Promise.all([start(-2 * HOURS), start(2 * HOURS)])
  return {
    early,
    late,
    both: [early, late],
    async [Symbol.asyncDispose]() {
      for (const world of [early, late]) await world[Symbol.asyncDispose]()
      await database[Symbol.asyncDispose]()
    },
  }
}
/** The same browser, asking another auth. */
function at(world: World, device: Device): Device {
  const twin = world.device()
  for (const [name, value] of device.cookies) twin.cookies.set(name, value)
  return twin
}
async function newcomer(username: string, world = two.early) {
  const device = world.device()
  expect((await device.signUp(username)).errors).toBeUndefined()
  return device
}
const codeOf = ({ errors }: { errors?: { extensions: { code: string } }[] }) =>
  errors?.[0]?.extensions.code

describe("two auths on one MongoDB, whose clocks are hours apart,", () => {
  test("write nothing to their disks", () => {
    for (const { dataDir } of two.both) expect(readdirSync(dataDir)).toEqual([])
  })

  test("give a username to one of those who want it at the same moment", async () => {
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, i) => two.both[i % 2]!.device().signUp("wanted")),
    )
    expect(answers.map(codeOf).filter((code) => code === undefined)).toHaveLength(1)
    expect(answers.map(codeOf).filter((code) => code === "CONFLICT")).toHaveLength(7)
  })

  test("made their keys at the same moment, and have the same", async () => {
    const [one, other] = await Promise.all(
      two.both.map(async ({ url }) => (await fetch(`${url}/.well-known/jwks.json`)).json()),
    )
    expect(one.keys).toHaveLength(2)
    expect(other).toEqual(one)
  })

  test("take each other's tokens, which are valid from now on for ten minutes", async () => {
    for (const [by, to] of [
      [two.early, two.late],
      [two.late, two.early],
    ] as const) {
      const device = await newcomer(by === two.early ? "alice" : "bob", by)
      expect(await at(to, device).isSignedIn()).toBeTrue()
      // A verifier has the right time, and asks whichever auth there is.
      const options = { issuer: "http://localhost:4000", clock: { now: () => Date.now() } }
      const keys = remoteKeys(["http://127.0.0.1:1", to.url])
      expect(await createTokenVerifier({ ...options, keys }).verify(device.access)).toBeDefined()
      const { iat, exp } = decodeJwt(device.access)
      expect(Math.abs(iat! * 1000 - Date.now())).toBeLessThan(5_000)
      expect(exp! - iat!).toBe(600)
    }
  })

  test("renew the sessions of two tabs that ask at once, with one cookie for both", async () => {
    const tab = await newcomer("carol")
    const twin = at(two.late, tab)
    for (let round = 0; round < 5; round += 1) {
      const answers = await Promise.all([tab.refresh(), twin.refresh()])
      expect(answers.map(codeOf)).toEqual([undefined, undefined])
      expect(tab.cookies.get("parley_refresh")).toBe(twin.cookies.get("parley_refresh")!)
    }
    // The slower tab comes a moment later, to either.
    const old = at(two.late, tab)
    const older = at(two.early, tab)
    await tab.refresh()
    for (const slow of [old, older]) {
      expect(codeOf(await slow.refresh())).toBeUndefined()
      expect(slow.cookies.get("parley_refresh")).toBe(tab.cookies.get("parley_refresh")!)
    }
  })

  test("give a client whose answer was lost the same again, whichever it asks", async () => {
    const device = await newcomer("dora")
    const lost = at(two.late, device)
    await device.refresh()
    expect(codeOf(await lost.refresh())).toBeUndefined()
    expect(lost.cookies.get("parley_refresh")).toBe(device.cookies.get("parley_refresh")!)
  })

  test("know a device that signed in at the other one, and give turns at an account together", async () => {
    const owner = await newcomer("gwen")
    const guess = (i: number) => {
      const device = two.both[i % 2]!.device()
      device.address = `192.0.2.${i}`
      return device.signIn("gwen", "a wrong guess")
    }
    await Promise.all(Array.from({ length: 25 }, (_, i) => guess(i)))
    await Promise.all(Array.from({ length: 25 }, (_, i) => guess(25 + i)))
    const waits = await Promise.all(Array.from({ length: 6 }, (_, i) => guess(100 + i)))
    const turns = waits.map(({ errors }) => errors![0]!.extensions.retryAfterMs!)
    expect(new Set(turns.map((ms) => Math.round(ms / FRESH_TURN_EVERY_MS))).size).toBe(6)
    expect(codeOf(await at(two.late, owner).signIn("gwen"))).toBeUndefined()
  })

  test("take a token for stolen that the other one renewed twice", async () => {
    const device = await newcomer("dave")
    const thief = at(two.late, device)
    await device.refresh()
    await device.refresh()
    expect(codeOf(await thief.refresh())).toBe("UNAUTHENTICATED")
    expect(codeOf(await device.refresh())).toBe("UNAUTHENTICATED")
  })

  test("know at once that a new password has ended the other sessions", async () => {
    const device = await newcomer("erin")
    const laptop = two.late.device()
    await laptop.signIn("erin")
    expect(await laptop.isSignedIn()).toBeTrue()
    const change = "mutation($c: String!, $n: String!) { changePassword(current: $c, new: $n) }"
    const next = "a new horse, a new battery"
    expect(await device.code(change, { c: PASSWORD, n: next })).toBeUndefined()
    expect(await laptop.code("{ sessions { id } }")).toBe("UNAUTHENTICATED")
    expect(codeOf(await two.late.device().signIn("erin"))).toBe("UNAUTHENTICATED")
    expect(codeOf(await two.late.device().signIn("erin", next))).toBeUndefined()
    expect(await device.isSignedIn()).toBeTrue()
  })

  test("count guesses together, to the last one", async () => {
    await newcomer("frank")
    const guess = (i: number) => {
      const device = two.both[i % 2]!.device()
      device.address = "198.51.100.1"
      return device.signIn("frank", "a wrong guess")
    }
    const answers = await Promise.all(Array.from({ length: 24 }, (_, i) => guess(i)))
    const codes = answers.map(codeOf)
    expect(codes.filter((code) => code === "UNAUTHENTICATED")).toHaveLength(10)
    expect(codes.filter((code) => code === "RATE_LIMITED")).toHaveLength(14)
    for (const { errors } of answers) {
      const { code, retryAfterMs } = errors![0]!.extensions
      if (code !== "RATE_LIMITED") continue
      expect(retryAfterMs).toBeGreaterThan(14 * 60_000)
      expect(retryAfterMs).toBeLessThanOrEqual(15 * 60_000 + 1_000)
    }
    // Right ones are not let in either, and counted nowhere.
    expect(codeOf(await guess(24))).toBe("RATE_LIMITED")
    expect(codeOf(await guess(25))).toBe("RATE_LIMITED")
  })

  test("count what one address does together, though it asks either", async () => {
    const guess = (i: number) => {
      const device = two.both[i % 2]!.device()
      device.address = "198.51.100.77"
      return device.signIn(`nobody${i}`, "a wrong guess")
    }
    const answers = await Promise.all(Array.from({ length: 40 }, (_, i) => guess(i)))
    expect(answers.map(codeOf).filter((code) => code === "UNAUTHENTICATED")).toHaveLength(30)
  })
})

describe("the feed of ended sessions", () => {
  const ask = async (world: World, after: number) => {
    const response = await fetch(`${world.url}/internal/ended-sessions?after=${after}`, {
      headers: { [SECRET_HEADER]: SECRET },
    })
    return (await response.json()) as {
      sessions: { id: string; endedAt: number }[]
      now: number
      more: boolean
    }
  }

  test("tells of every end, whichever auth wrote it and whichever is asked", async () => {
    let after = (await ask(two.early, 0)).now
    for (const by of two.both) {
      for (const asked of two.both) {
        const device = by.device()
        const name = `gina${two.both.indexOf(by)}${two.both.indexOf(asked)}`
        await device.signUp(name)
        const [session] = await device.sessions()
        await device.ask("mutation { signOut }")
        const { sessions, now, more } = await ask(asked, after)
        expect(sessions.map(({ id }) => id)).toContain(session!.id)
        expect(more).toBeFalse()
        // One time for all of them: it goes on, and by no more than has passed.
        expect(now).toBeGreaterThanOrEqual(after)
        expect(now - after).toBeLessThan(30_000)
        after = now
      }
    }
  })

  test("misses none where a gateway asks one auth and then the other while sessions end", async () => {
    const ended = new Set<string>()
    const told = new Set<string>()
    let after = (await ask(two.late, 0)).now
    let done = false
    const ending = async (world: World, who: string) => {
      const device = world.device()
      await device.signUp(who)
      for (let i = 0; i < 15; i += 1) {
        await device.signIn(who)
        const [session] = (await device.sessions()).filter(({ current }) => current)
        await device.ask("mutation { signOut }")
        ended.add(session!.id)
      }
    }
    const asking = async () => {
      for (let round = 0; !done || round % 2 === 0; round += 1) {
        const { sessions, now } = await ask(two.both[round % 2]!, after)
        for (const { id } of sessions) told.add(id)
        // As a gateway does, but with no more overlap than what a write takes here.
        after = now - 200
      }
    }
    const gateway = asking()
    await Promise.all([ending(two.early, "hugo"), ending(two.late, "ivy")])
    done = true
    await gateway
    expect(ended.size).toBe(30)
    for (const id of ended) expect(told.has(id)).toBeTrue()
  })
})

describe("an auth", () => {
  test("that joins later has the keys, and what it renews is known to the first", async () => {
    await using one = await startTwo()
    const device = await newcomer("kate", one.early)
    await one.late.restart()
    expect(await at(one.late, device).isSignedIn()).toBeTrue()
    const renewed = at(one.late, device)
    await renewed.refresh()
    expect(await at(one.early, renewed).isSignedIn()).toBeTrue()
  })

  test("with another link secret is refused with a sentence, for it cannot read the keys", async () => {
    await using database = newDatabase(mongo)
    const mongodbUrl = database.url
    await using _ = await startWorld({ mongodbUrl })
    await expect(startWorld({ mongodbUrl, linkSecret: `not ${SECRET}` })).rejects.toMatchObject({
      name: "ConfigError",
      message: expect.stringContaining("LINK_SECRET"),
    })
  })
})
