import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { HASHING } from "./domain/hashing.ts"
import { PASSWORD, startWorld, type World } from "./test/world.ts"

let world: World
beforeAll(async () => {
  world = await startWorld()
  await world.device().signUp("alice", { name: "Alice Ångström" })
})
afterAll(() => world[Symbol.asyncDispose]())

const ME = "{ me { username name about avatarUrl createdAt } }"

describe("signing up", () => {
  test("creates an account, folds the name to lower case, and signs in", async () => {
    const device = world.device()
    const { data } = await device.signUp("Bob.Builder_1")
    expect(data?.signUp).toMatchObject({ username: "bob.builder_1", name: "bob.builder_1" })
    expect((await device.ask<{ me: object }>(ME)).data?.me).toMatchObject({
      username: "bob.builder_1",
    })
  })

  test("of many who want a name at the same moment, one gets it", async () => {
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, i) => world.device().signUp(i % 2 ? "Racer" : "racer")),
    )
    expect(answers.filter(({ data }) => data?.signUp)).toHaveLength(1)
    const codes = answers.flatMap(({ errors }) => errors?.[0]?.extensions.code ?? [])
    expect(codes).toEqual(Array.from({ length: 7 }, () => "CONFLICT"))
  })

  test.each(["ab", "a".repeat(33), "with space", "ümlaut", "a/b", '{"$gt":""}', ""])(
    "refuses the username %j",
    async (username) => {
      const { errors } = await world.device().signUp(username)
      expect(errors?.[0]?.extensions).toMatchObject({ code: "BAD_INPUT", field: "username" })
    },
  )

  test.each(["__proto__", "constructor", "tostring"])(
    "takes %s for the name that it is",
    async (username) => {
      expect((await world.device().signUp(username)).data?.signUp.username).toBe(username)
      expect((await world.device().signIn(username)).data?.signIn).toBeDefined()
    },
  )

  test.each([
    ["too short", "short"],
    ["common", "1234567890"],
    ["common, in capitals", "PASSWORD123"],
    ["too long", "x".repeat(257)],
    ["half a surrogate pair", "correct horse \ud800"],
    ["NUL", "correct horse \0 battery"],
  ])("refuses a password that is %s", async (_what, password) => {
    const { errors } = await world.device().signUp("carol", { password })
    expect(errors?.[0]?.extensions).toMatchObject({ code: "BAD_INPUT", field: "password" })
  })

  test("compares passwords as NFKC has them", async () => {
    await world.device().signUp("nora", { password: "ﬁne Å passwords" })
    expect((await world.device().signIn("nora", "fine Å passwords")).data?.signIn).toBeDefined()
  })
})

describe("signing in", () => {
  test("an unknown user and a wrong password read the same", async () => {
    const wrong = await world.device().signIn("alice", "not her password")
    const unknown = await world.device().signIn("nobody.here", "not her password")
    expect(wrong).toEqual(unknown)
    expect(wrong.errors?.[0]?.extensions.code).toBe("UNAUTHENTICATED")
  })

  test("a flood of sign-ins is refused beyond its bound, and the rest goes on", async () => {
    await using flooded = await startWorld({}, { memoryCost: 19_456, timeCost: 2, queue: 20 })
    const alice = flooded.device()
    await alice.signUp("alice")
    let answered = 0
    const flood = Array.from({ length: 60 }, async (_, i) => {
      const answer = await flooded.device().signIn(`nobody${i}`)
      answered++
      return answer
    })
    expect(await alice.isSignedIn()).toBeTrue()
    expect(answered).toBeLessThan(flood.length)
    const codes = (await Promise.all(flood)).map(({ errors }) => errors?.[0]?.extensions)
    expect(codes.every((code) => code !== undefined)).toBeTrue()
    const limited = codes.filter((code) => code?.code === "RATE_LIMITED")
    expect(limited.length).toBeGreaterThan(0)
    for (const refusal of limited) expect(refusal?.retryAfterMs).toBeGreaterThan(0)
  }, 30_000)

  test("goes on beside a flood of sign-ins with right passwords, at the very same address", async () => {
    await using flooded = await startWorld({}, HASHING)
    const own = Array.from({ length: 16 }, (_, i) => `flood${i}`)
    for (const name of own) await flooded.device().signUp(name)
    const known = flooded.device()
    await known.signUp("alice")
    let flooding = true
    const flood = own.flatMap((name) =>
      Array.from({ length: 9 }, async () => {
        while (flooding) {
          // What floods is refused at once: the test's own process would do nothing else.
          if ((await flooded.device().signIn(name)).errors) await Bun.sleep(50)
        }
      }),
    )
    const took: number[] = []
    const others: (string | undefined)[] = []
    const timed = async (act: Promise<{ errors?: { extensions: { code: string } }[] }>) => {
      const began = performance.now()
      others.push((await act).errors?.[0]?.extensions.code)
      took.push(performance.now() - began)
    }
    for (let i = 0; i < 5; i++) {
      await timed(flooded.device().signUp(`newcomer${i}`))
      await timed(known.signIn("alice"))
      await timed(flooded.device().signIn(`newcomer${i}`))
    }
    flooding = false
    await Promise.all(flood)
    expect(others).toEqual(Array(15).fill(undefined))
    // 1 s on a machine of its own; tests share theirs.
    expect(Math.max(...took)).toBeLessThan(4_000)
  }, 60_000)

  test("ten wrong guesses close an account for a while, durably, even when made at once", async () => {
    await using own = await startWorld()
    const owner = own.device()
    await owner.signUp("dave")
    const guesses = Array.from({ length: 20 }, () => own.device().signIn("dave", "a wrong guess"))
    const codes = (await Promise.all(guesses)).map(({ errors }) => errors?.[0]?.extensions.code)
    expect(codes.filter((code) => code === "UNAUTHENTICATED")).toHaveLength(10)
    expect(codes.filter((code) => code === "RATE_LIMITED")).toHaveLength(10)

    await own.restart()
    const [refusal] = (await own.device().signIn("dave")).errors ?? []
    expect(refusal?.extensions).toMatchObject({ code: "RATE_LIMITED", retryable: true })
    expect(refusal?.extensions.retryAfterMs).toBeGreaterThan(0)
    // Who is signed in already is not punished for it.
    expect(await owner.isSignedIn()).toBeTrue()

    own.pass(15 * 60_000 + 1)
    expect((await own.device().signIn("dave")).data?.signIn).toBeDefined()
  })

  test("an address that guesses at many accounts is stopped too", async () => {
    await using own = await startWorld({ guessesPerAddress: 5 })
    await own.device().signUp("erin")
    for (let i = 0; i < 5; i++) await own.device().signIn(`someone${i}`, "a wrong guess")
    expect((await own.device().signIn("erin")).errors?.[0]?.extensions.code).toBe("RATE_LIMITED")
    const elsewhere = own.device()
    elsewhere.address = "198.51.100.9"
    expect((await elsewhere.signIn("erin")).data?.signIn).toBeDefined()
  })
})

describe("profiles", () => {
  test("can be changed, and are checked", async () => {
    const device = world.device()
    await device.signUp("frank")
    const change =
      "mutation($input: UpdateProfileInput!) { updateProfile(input: $input) { name about } }"
    const { data } = await device.ask<{ updateProfile: object }>(change, {
      input: { name: "  Frank  ", about: "On the road" },
    })
    expect(data?.updateProfile).toEqual({ name: "Frank", about: "On the road" })
    expect(await device.code(change, { input: { name: "x".repeat(65) } })).toBe("BAD_INPUT")
    expect(await device.code(change, { input: { avatarUrl: "javascript:alert(1)" } })).toBe(
      "BAD_INPUT",
    )
  })

  test("are found by the beginning of the username or of any word of the name", async () => {
    const device = world.device()
    await device.signUp("gina")
    const search = "query($s: String!) { users(search: $s) { username } }"
    for (const text of ["ali", "ALI", "ångs"]) {
      const { data } = await device.ask<{ users: object[] }>(search, { s: text })
      expect(data?.users).toContainEqual({ username: "alice" })
    }
    expect((await device.ask<{ users: object[] }>(search, { s: "%" })).data?.users).toEqual([])
    const sized = 'query($n: Int!) { users(search: "a", first: $n) { username } }'
    for (const n of [-1, 0, 51]) expect(await device.code(sized, { n })).toBe("BAD_INPUT")
    expect(await device.code(search, { s: "a".repeat(64) })).toBeUndefined()
    expect(await device.code(search, { s: "a".repeat(65) })).toBe("BAD_INPUT")
    expect(await world.device().code(search, { s: "ali" })).toBe("UNAUTHENTICATED")
    expect(await world.device().code('{ user(username: "alice") { id } }')).toBe("UNAUTHENTICATED")
  })

  test("are there for the gateway to join, without a viewer, and null where there is none", async () => {
    const device = world.device()
    const { data: made } = await device.signUp("hugo")
    const { data } = await world
      .device()
      .ask<{ _entities: unknown[] }>(
        "query($of: [_Any!]!) { _entities(representations: $of) { ... on User { username } } }",
        {
          of: [
            { __typename: "User", id: made?.signUp.id },
            { __typename: "User", id: "no such user" },
          ],
        },
      )
    expect(data?._entities).toEqual([{ username: "hugo" }, null])
  })
})

describe("changing the password", () => {
  test("needs the present one, and ends every other session", async () => {
    const [phone, laptop] = [world.device(), world.device()]
    await phone.signUp("ivy")
    await laptop.signIn("ivy")
    const change = "mutation($c: String!, $n: String!) { changePassword(current: $c, new: $n) }"
    const next = "an entirely new password"
    expect(await phone.code(change, { c: "not the password", n: next })).toBe("BAD_INPUT")
    expect((await phone.ask(change, { c: PASSWORD, n: next })).errors).toBeUndefined()
    expect(await phone.isSignedIn()).toBeTrue()
    expect(await laptop.code("{ sessions { id } }")).toBe("UNAUTHENTICATED")
    expect((await world.device().signIn("ivy")).data?.signIn).toBeUndefined()
    expect((await world.device().signIn("ivy", next)).data?.signIn).toBeDefined()
  })
})
