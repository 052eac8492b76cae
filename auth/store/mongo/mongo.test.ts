import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import type { Mongo } from "@parley/engines/mongo.ts"
import {
  FETCHED_WITHIN,
  newDatabase,
  startTestMongo,
  useTestMongo,
} from "@parley/engines/test/mongo.ts"
import { silentLogger as log } from "@parley/platform/log.ts"
import { until } from "@parley/testing/until.ts"
import { MongoClient } from "mongodb"
import { startLossyProxy } from "../../test/lossy-proxy.ts"
import { SECRET } from "../../test/world.ts"
import { newKeys, newSession, newUser, rotation, storeContract } from "../store.contract.ts"
import type { Store } from "../store.ts"
import { openMongoStore } from "./mongo.ts"

/** On a busy machine; in ms. */
setDefaultTimeout(60_000)

const openStore = (url: string, linkSecret = SECRET) => openMongoStore({ url, linkSecret, log })
const unavailable = { name: "ParleyError", code: "UNAVAILABLE" }

describe("with nothing in the way", () => {
  const mongo = useTestMongo()

  storeContract("MongoDB", async () => {
    const database = newDatabase(mongo)
    return {
      open: () => openStore(database.url),
      [Symbol.asyncDispose]: database[Symbol.asyncDispose],
    }
  })

  test("the keys are sealed under the link secret, and no other one opens them", async () => {
    await using database = newDatabase(mongo)
    await using store = await openStore(database.url)
    const keys = newKeys(1, "kid of the key")
    await store.keys.save(keys)

    await using client = new MongoClient(database.url)
    const secrets = client.db().collection<{ _id: string; version: number }>("secrets")
    const stored = JSON.stringify(await secrets.find().toArray())
    for (const secret of [keys.refreshSecret, "kid of the key", SECRET]) {
      expect(stored).not.toContain(secret)
      expect(stored).not.toContain(btoa(secret).slice(0, 12))
    }
    const refusal = {
      name: "ConfigError",
      message: expect.stringMatching(
        /^The signing keys in MongoDB were sealed with another LINK_SECRET: .*\.$/,
      ),
    }
    await using stranger = await openStore(database.url, `another ${SECRET}`)
    await expect(stranger.keys.load()).rejects.toMatchObject(refusal)
    expect(await store.keys.load()).toEqual(keys)
    // Nor do they pass for newer ones.
    await secrets.updateOne({ _id: "keys" }, { $set: { version: 7 } })
    await expect(store.keys.load()).rejects.toMatchObject(refusal)
  })
})

describe("with a connection that breaks under a write", () => {
  let mongo: Mongo
  beforeAll(async () => {
    mongo = await startTestMongo()
  }, FETCHED_WITHIN)
  afterAll(() => mongo.stop())

  /** Two handles on a database of its own; on the way to the first one answers get lost. */
  async function open() {
    const database = newDatabase(mongo)
    const proxy = startLossyProxy(database.url)
    const store = await openStore(proxy.url)
    const other = await openStore(database.url)
    return {
      store,
      other,
      /** What the write answers, though the answer to its first try gets lost, after `first`. */
      async unheard<T>(command: string, write: () => Promise<T>, first?: () => Promise<unknown>) {
        const { lost } = proxy
        proxy.loseAnswer(command, first)
        const answer = await write()
        expect(proxy.lost).toBe(lost + 1)
        return answer
      },
      async [Symbol.asyncDispose]() {
        for (const one of [store, other]) await one[Symbol.asyncDispose]()
        proxy[Symbol.dispose]()
      },
    }
  }

  // Side by side: after each break the driver waits for half a second.
  test.concurrent("a sign-up knows its own account again, and nobody else's", async () => {
    await using at = await open()
    const alice = newUser("alice")
    expect(await at.unheard("insert", () => at.store.insertUser(alice))).toBeTrue()
    expect(await at.other.userByUsername("alice")).toMatchObject({ id: alice.id })
    const twin = newUser("alice")
    expect(await at.unheard("insert", () => at.store.insertUser(twin))).toBeFalse()
  })

  test.concurrent("a session begins once", async () => {
    await using at = await open()
    const session = newSession("bob")
    await at.unheard("insert", () => at.store.insertSession(session))
    expect(await at.other.session(session.id)).toEqual(session)
  })

  test.concurrent("a new password is known to be ours, and another one not to be", async () => {
    await using at = await open()
    const carol = newUser("carol")
    await at.store.insertUser(carol)
    const replace = (next: string) => () => at.store.replacePassword(carol.id, "hash 1", next)
    expect(await at.unheard("update", replace("hash 2"))).toBeTrue()
    expect(await at.unheard("update", replace("hash 3"))).toBeFalse()
  })

  test.concurrent("a session is renewed once, and ends once", async () => {
    await using at = await open()
    const session = newSession("dave")
    await at.store.insertSession(session)
    const renew = (generation: number) => () =>
      at.store.rotateSession(session.id, 1, rotation(generation))
    expect(await at.unheard("update", renew(2))).toBeTrue()
    expect(await at.unheard("update", renew(3))).toBeFalse()
    const end = () => at.store.endSession(session.id)
    await at.unheard("update", end)
    const { endedAt } = (await at.other.session(session.id))!
    expect(endedAt).toBeNumber()
    await at.unheard("update", end)
    expect((await at.other.session(session.id))?.endedAt).toBe(endedAt)
  })

  test.concurrent("an event counts once, also where others have counted since", async () => {
    await using at = await open()
    const key = Bun.randomUUIDv7()
    const put = (on: Store, version: number) =>
      on.putCounter({ key, version, hits: [{ at: 1, count: version }], expiresAt: 1e15 })
    expect(await at.unheard("update", () => put(at.store, 1))).toBeTrue()
    const others = async () => {
      await until(async () => (await at.other.counter(key))?.version === 2, "the lost write")
      for (const version of [3, 4, 5]) expect(await put(at.other, version)).toBeTrue()
    }
    expect(await at.unheard("update", () => put(at.store, 2), others)).toBeTrue()
    expect((await at.other.counter(key))?.version).toBe(5)
    expect(await at.unheard("update", () => put(at.store, 5))).toBeFalse()
  })

  test.concurrent("keys are saved once, and other ones are not taken for ours", async () => {
    await using at = await open()
    const save = (kid: string) => () => at.store.keys.save(newKeys(1, kid))
    expect(await at.unheard("update", save("ours"))).toBeTrue()
    expect(await at.unheard("update", save("late"))).toBeFalse()
    expect((await at.other.keys.load())?.keys[0]?.kid).toBe("ours")
  })

  test.concurrent("a profile changes, and the time is told", async () => {
    await using at = await open()
    const erin = newUser("erin")
    await at.store.insertUser(erin)
    const change = () => at.store.updateProfile(erin.id, { about: "new" })
    expect(await at.unheard("update", change)).toMatchObject({ about: "new" })
    const before = await at.other.time()
    const told = await at.unheard("findAndModify", () => at.store.time())
    expect(told).toBeGreaterThanOrEqual(before)
  })
})

describe("with a server that freezes", () => {
  let mongo: Mongo
  beforeAll(async () => {
    mongo = await startTestMongo()
  }, FETCHED_WITHIN)
  afterAll(() => mongo.stop())

  const recovers = (store: Store) =>
    until(
      () =>
        store.ping().then(
          () => true,
          () => false,
        ),
      "the store to answer",
    )

  test("what a frozen server was asked to do is stamped with the time at which it does it", async () => {
    // Gives up soon: tests do not wait as people would.
    await using hasty = await openStore(`${mongo.url}&socketTimeoutMS=1000`)
    await using patient = await openStore(mongo.url)
    const [renewed, ended] = [newSession("alice"), newSession("alice")]
    // At once, so that there is a connection for each of what follows.
    await Promise.all([renewed, ended].map(patient.insertSession))
    await recovers(hasty)
    mongo.freeze()
    const writes = [patient.rotateSession(renewed.id, 1, rotation(2)), patient.endSession(ended.id)]
    const sent = patient.clock.now()
    await expect(hasty.session(ended.id)).rejects.toMatchObject(unavailable)
    await until(() => patient.clock.now() - sent > 1_000, "a second")
    mongo.thaw()
    await Promise.all(writes)
    // Clocks may be read some ms apart.
    expect((await patient.session(ended.id))?.endedAt).toBeGreaterThan(sent + 900)
    expect((await patient.session(renewed.id))?.rotatedAt).toBeGreaterThan(sent + 900)
    await recovers(hasty)
  })
})
