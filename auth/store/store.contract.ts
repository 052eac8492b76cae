import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { until } from "@parley/testing/until.ts"
import type { NewUser, Session, Store, StoredKeys } from "./store.ts"

/** An empty place of its own for one engine's data. Each `open` is another process's handle on the same data. */
export interface StorePlace extends AsyncDisposable {
  open(): Promise<Store>
}

const id = () => Bun.randomUUIDv7()

export const newUser = (username: string, more: Partial<NewUser> = {}): NewUser => ({
  id: id(),
  username,
  name: username,
  about: null,
  avatarUrl: null,
  createdAt: 1_000,
  passwordHash: "hash 1",
  nameTerms: [username],
  ...more,
})

export const newSession = (user: string, more: Partial<Session> = {}): Session => ({
  id: id(),
  user,
  device: "Firefox on Linux",
  createdAt: 1_000,
  lastSeenAt: 1_000,
  generation: 1,
  tokenHash: "token 1",
  rotatedAt: 1_000,
  expiresAt: 100_000,
  endedAt: null,
  ...more,
})

export const rotation = (generation: number) => ({
  generation,
  tokenHash: `token ${generation}`,
  lastSeenAt: 2_000,
  expiresAt: 200_000,
})

export const newKeys = (version: number, kid: string): StoredKeys => ({
  version,
  refreshSecret: "a secret of 32 bytes, in base64url, no less",
  keys: [{ kid, activeFrom: 1_000, privateKey: { kty: "OKP", crv: "Ed25519", x: "x", d: "d" } }],
})

const names = (users: { username: string }[]) => users.map(({ username }) => username)
const wins = (answers: boolean[]) => answers.filter((won) => won).length

/** What every engine behind the port `Store` promises. */
export function storeContract(name: string, prepare: () => Promise<StorePlace>): void {
  describe(`the store on ${name}`, () => {
    let place: StorePlace
    let store: Store
    /** The same data, as another process sees it. */
    let other: Store

    beforeAll(async () => {
      place = await prepare()
      store = await place.open()
      other = await place.open()
    })
    afterAll(async () => {
      await store[Symbol.asyncDispose]()
      await other[Symbol.asyncDispose]()
      await place[Symbol.asyncDispose]()
    })

    /** Runs one attempt per contender, half of them on each handle, all at the same moment. */
    const race = <T>(contenders: number, attempt: (on: Store, index: number) => Promise<T>) =>
      Promise.all(Array.from({ length: contenders }, (_, i) => attempt(i % 2 ? store : other, i)))

    describe("users", () => {
      test("are found by id and by username, as they were put in, without what is secret", async () => {
        const { passwordHash, nameTerms, ...alice } = newUser("alice", {
          name: "Ålice 👩🏽‍🚀",
          about: "Hi",
          avatarUrl: "/a.png",
        })
        expect(await store.insertUser({ ...alice, passwordHash, nameTerms })).toBeTrue()
        expect(await other.userByUsername("alice")).toEqual(alice)
        expect(await other.usersById([alice.id])).toEqual([alice])
        expect(await store.userByUsername("Alice")).toBeUndefined()
        expect(await other.credentials("alice")).toEqual({
          user: alice.id,
          username: "alice",
          passwordHash,
        })
        expect(await other.credentialsById(alice.id)).toEqual(await store.credentials("alice"))
      })

      test("that do not exist are left out", async () => {
        const bob = newUser("bob")
        await store.insertUser(bob)
        expect(await store.usersById([])).toEqual([])
        expect(await store.usersById([id()])).toEqual([])
        const found = await store.usersById([id(), bob.id, bob.id, id()])
        expect(names(found)).toEqual(["bob"])
        expect(await store.userByUsername("nobody")).toBeUndefined()
        expect(await store.credentials("nobody")).toBeUndefined()
        expect(await store.credentialsById(id())).toBeUndefined()
        expect(await store.updateProfile(id(), { about: "?" })).toBeUndefined()
      })

      test("of many with one username, one gets in", async () => {
        const answers = await race(20, (on) => on.insertUser(newUser("wanted")))
        expect(wins(answers)).toBe(1)
        expect(await store.insertUser(newUser("wanted"))).toBeFalse()
      })

      test("are found by whatever text their name is, operators included", async () => {
        for (const username of ["__proto__", "constructor", "$gt"]) {
          expect(await store.userByUsername(username)).toBeUndefined()
          expect(await store.insertUser(newUser(username))).toBeTrue()
          expect((await store.userByUsername(username))?.username).toBe(username)
        }
        expect(await store.userByUsername('{"$gt":""}')).toBeUndefined()
        expect(await store.usersByUsernamePrefix('{"$gt":""}', 10)).toEqual([])
        expect(await store.usersByUsernamePrefix(".*", 10)).toEqual([])
        expect(await store.usersByUsernamePrefix("%", 10)).toEqual([])
      })

      test("are found by the beginning of the username, in its order, up to a limit", async () => {
        for (const username of ["zed.c", "zed", "zed_b", "zee", "ze"]) {
          await store.insertUser(newUser(username))
        }
        expect(names(await store.usersByUsernamePrefix("zed", 10))).toEqual([
          "zed",
          "zed.c",
          "zed_b",
        ])
        expect(names(await store.usersByUsernamePrefix("zed", 2))).toEqual(["zed", "zed.c"])
      })

      test("are found by the beginning of a name term, each once", async () => {
        await store.insertUser(newUser("q1", { nameTerms: ["quux quuz", "quuz"] }))
        await store.insertUser(newUser("q2", { nameTerms: ["anna quux", "quux"] }))
        await store.insertUser(newUser("q3", { nameTerms: ["quux 日本語", "日本語"] }))
        // One before the range and one behind it: nothing in it.
        await store.insertUser(
          newUser("q4", { nameTerms: ["quta", "quvz 😀 \uFFFD", "😀 \uFFFD"] }),
        )
        const found = async (prefix: string, limit = 10) =>
          names(await store.usersByNamePrefix(prefix, limit)).sort()
        expect(await found("quu")).toEqual(["q1", "q2", "q3"])
        expect(await found("quuz")).toEqual(["q1"])
        expect(await found("日本")).toEqual(["q3"])
        expect(await found("anna q")).toEqual(["q2"])
        expect(await found("😀")).toEqual(["q4"])
        expect(await found("quvz 😀")).toEqual(["q4"])
        const [user] = await store.usersByNamePrefix("anna q", 1)
        expect(user).toEqual((await store.userByUsername("q2"))!)
        expect(await found("uux")).toEqual([])
        expect(await found("quu", 2)).toHaveLength(2)
      })

      test("change field by field, and are found by the new name only", async () => {
        const erin = newUser("erin", { about: "before", nameTerms: ["erinold"] })
        await store.insertUser(erin)
        const renamed = await store.updateProfile(erin.id, {
          name: { name: "Erin New", terms: ["erin new", "newterm"] },
        })
        expect(renamed).toMatchObject({ name: "Erin New", about: "before", avatarUrl: null })
        expect(await other.usersByNamePrefix("erinold", 10)).toEqual([])
        expect(names(await other.usersByNamePrefix("newterm", 10))).toEqual(["erin"])
        await store.updateProfile(erin.id, { about: null, avatarUrl: "/e.png" })
        expect(await store.updateProfile(erin.id, {})).toMatchObject({
          name: "Erin New",
          about: null,
          avatarUrl: "/e.png",
        })
      })

      test("of many changes of one password, one wins", async () => {
        const frank = newUser("frank")
        await store.insertUser(frank)
        const answers = await race(10, (on, i) =>
          on.replacePassword(frank.id, "hash 1", `new hash ${i}`),
        )
        expect(wins(answers)).toBe(1)
        const now = await store.credentialsById(frank.id)
        expect(now?.passwordHash).toBe(`new hash ${answers.indexOf(true)}`)
        expect(await store.replacePassword(id(), "hash 1", "hash 2")).toBeFalse()
      })
    })

    describe("sessions", () => {
      test("are kept as they were put in", async () => {
        const session = newSession(id())
        await store.insertSession(session)
        expect(await other.session(session.id)).toEqual(session)
        expect(await other.session(id())).toBeUndefined()
      })

      test("that live are listed, the one seen last first", async () => {
        const user = id()
        const seen = (lastSeenAt: number, more: Partial<Session> = {}) =>
          newSession(user, { lastSeenAt, ...more })
        const [old, young, middle] = [seen(1_000), seen(3_000), seen(2_000)]
        const gone = [seen(4_000, { endedAt: 5_000 }), seen(4_000, { expiresAt: 50_000 })]
        for (const session of [old, young, middle, ...gone, newSession(id())]) {
          await store.insertSession(session)
        }
        expect(await store.liveSessions(user, 50_000)).toEqual([young, middle, old])
      })

      test("that live are told from those that do not, by their ids", async () => {
        const [live, ended, expired] = [
          newSession(id()),
          newSession(id(), { endedAt: 5_000 }),
          newSession(id(), { expiresAt: 50_000 }),
        ]
        for (const session of [live, ended, expired]) await store.insertSession(session)
        const ids = [live, ended, expired].map((session) => session.id)
        expect(await other.liveAmong([...ids, id(), "$gt", ""], 50_000)).toEqual([live.id])
        expect((await other.liveAmong(ids, 49_999)).toSorted()).toEqual(
          [live.id, expired.id].toSorted(),
        )
        expect(await store.liveAmong([], 0)).toEqual([])
      })

      test("of many renewals of one generation, one wins", async () => {
        const session = newSession(id())
        await store.insertSession(session)
        const before = await store.time()
        const answers = await race(10, (on) => on.rotateSession(session.id, 1, rotation(2)))
        const after = await other.time()
        expect(wins(answers)).toBe(1)
        const renewed = await other.session(session.id)
        expect(renewed).toEqual({ ...session, ...rotation(2), rotatedAt: renewed!.rotatedAt })
        expect(renewed!.rotatedAt).toBeWithin(before, after + 1)
        expect(await store.rotateSession(session.id, 1, rotation(2))).toBeFalse()
        expect((await store.session(session.id))?.rotatedAt).toBe(renewed!.rotatedAt)
        expect(await store.rotateSession(id(), 1, rotation(2))).toBeFalse()
      })

      test("end once, at the time of the store, and are never renewed again", async () => {
        const session = newSession(id())
        await store.insertSession(session)
        const before = await store.time()
        await race(6, (on) => on.endSession(session.id))
        const after = await other.time()
        const end = (await store.session(session.id))!.endedAt!
        expect(end).toBeWithin(before, after + 1)
        expect(await store.rotateSession(session.id, 1, rotation(2))).toBeFalse()
        await until(async () => (await store.time()) > end, "the next millisecond")
        await other.endSession(session.id)
        expect((await store.session(session.id))?.endedAt).toBe(end)
        await store.endSession(id())
      })

      test("that ended are told in the order of their ends, after a time, up to a limit", async () => {
        const ended = [4_000_000_000_003, 4_000_000_000_001, 4_000_000_000_002].map((endedAt) =>
          newSession(id(), { endedAt }),
        )
        for (const session of ended) await store.insertSession(session)
        const told = async (after: number, limit = 100) =>
          (await other.endedSessions(after, limit)).map(({ endedAt }) => endedAt)
        expect(await told(4_000_000_000_000)).toEqual([
          4_000_000_000_001, 4_000_000_000_002, 4_000_000_000_003,
        ])
        expect(await told(4_000_000_000_001)).toEqual([4_000_000_000_002, 4_000_000_000_003])
        expect(await told(4_000_000_000_000, 2)).toEqual([4_000_000_000_001, 4_000_000_000_002])
        expect(await store.endedSessions(4_000_000_000_002, 1)).toEqual([
          { id: ended[0]!.id, endedAt: 4_000_000_000_003 },
        ])
      })
    })

    describe("counters", () => {
      test("are put in once and then replaced version by version", async () => {
        const counter = { key: id(), version: 1, hits: [{ at: 5, count: 1 }], expiresAt: 1e15 }
        expect(await store.counter(counter.key)).toBeUndefined()
        const first = await race(10, (on) => on.putCounter(counter))
        expect(wins(first)).toBe(1)
        expect(await other.counter(counter.key)).toEqual(counter)
        const second = await race(10, (on, i) =>
          on.putCounter({ ...counter, version: 2, hits: [{ at: i, count: 2 }] }),
        )
        expect(wins(second)).toBe(1)
        expect((await store.counter(counter.key))?.hits).toEqual([
          { at: second.indexOf(true), count: 2 },
        ])
        expect(await store.putCounter({ ...counter, version: 4 })).toBeFalse()
        expect(await store.putCounter({ ...counter, key: id(), version: 2 })).toBeFalse()
      })

      test("lose nothing when many count at once", async () => {
        const key = id()
        await race(20, async (on) => {
          for (;;) {
            const found = await on.counter(key)
            const count = (found?.hits[0]?.count ?? 0) + 1
            const version = (found?.version ?? 0) + 1
            const hits = [{ at: 1, count }]
            if (await on.putCounter({ key, version, hits, expiresAt: 1e15 })) return
          }
        })
        expect((await store.counter(key))?.hits).toEqual([{ at: 1, count: 20 }])
      })
    })

    describe("keys", () => {
      test("are saved version by version, and of many at once one set gets in", async () => {
        expect(await store.keys.load()).toBeUndefined()
        expect(await store.keys.save(newKeys(2, "early"))).toBeFalse()
        for (const version of [1, 2]) {
          const answers = await race(8, (on, i) => on.keys.save(newKeys(version, `key ${i}`)))
          expect(wins(answers)).toBe(1)
          const saved = newKeys(version, `key ${answers.indexOf(true)}`)
          expect(await store.keys.load()).toEqual(saved)
          expect(await other.keys.load()).toEqual(saved)
        }
        expect(await store.keys.save(newKeys(2, "late"))).toBeFalse()
        expect(await store.keys.save(newKeys(4, "early"))).toBeFalse()
        expect((await other.keys.load())?.version).toBe(2)
      })
    })

    test("it is one time, whoever asks, with and without a question", async () => {
      const told: number[] = []
      for (const on of [store, other, store, other]) told.push(await on.time())
      expect(told).toEqual(told.toSorted((a, b) => a - b))
      for (const { clock } of [store, other]) {
        const before = await store.time()
        const now = clock.now()
        expect(now).toBeWithin(before - 500, (await other.time()) + 500)
      }
    })

    test("what was answered is there for whoever opens the store next", async () => {
      const heir = newUser("heir")
      const session = newSession(heir.id)
      await store.insertUser(heir)
      await store.insertSession(session)
      const third = await place.open()
      expect((await third.userByUsername("heir"))?.id).toBe(heir.id)
      expect(await third.session(session.id)).toEqual(session)
      await third[Symbol.asyncDispose]()
    })

    test("what has no meaning any more is forgotten, and nothing else", async () => {
      const user = id()
      const kept = [newSession(user), newSession(user, { endedAt: 20_000 })]
      const gone = [newSession(user, { endedAt: 19_999 }), newSession(user, { expiresAt: 19_999 })]
      for (const session of [...kept, ...gone]) await store.insertSession(session)
      const counter = { key: id(), version: 1, hits: [], expiresAt: 30_000 }
      const stale = { ...counter, key: id(), expiresAt: 29_999 }
      for (const one of [counter, stale]) await store.putCounter(one)
      await store.prune(30_000, 20_000)
      for (const { id } of kept) expect(await store.session(id)).toBeDefined()
      for (const { id } of gone) expect(await store.session(id)).toBeUndefined()
      expect(await store.counter(counter.key)).toBeDefined()
      expect(await store.counter(stale.key)).toBeUndefined()
    })

    test("answers a ping", async () => {
      await store.ping()
    })
  })
}
