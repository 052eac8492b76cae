import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import fc from "fast-check"
import {
  type Collection,
  type Filter,
  MongoBulkWriteError,
  MongoClient,
  MongoServerError,
} from "mongodb"
import { type Mongo, startMongo } from "./mongo.ts"

/** On a busy machine; in ms. */
setDefaultTimeout(120_000)

interface Entry {
  conversation: string
  seq: number
  text?: string
  likes?: number
}

/** The first start fetches. */
const FETCHED_WITHIN = 25 * 60_000

const report = (line: string) => process.stderr.write(`• ${line}\n`)

let mongo: Mongo
let client: MongoClient

const connect = (url: string) =>
  new MongoClient(url, { serverSelectionTimeoutMS: 10_000, socketTimeoutMS: 10_000 })

beforeAll(async () => {
  mongo = await startMongo({ report })
  client = connect(mongo.url)
}, FETCHED_WITHIN)

afterAll(async () => {
  await client.close()
  await mongo.stop()
})

let made = 0

/** A log of conversations as Parley keeps it, empty. */
async function newLog(): Promise<Collection<Entry>> {
  made += 1
  const log = client.db("parley").collection<Entry>(`entries${made}`)
  await log.createIndex({ conversation: 1, seq: 1 }, { unique: true })
  return log
}

const entry = (seq: number, text = `message ${seq}`): Entry => ({
  conversation: "alice and bob",
  seq,
  text,
})

const codeOf = (error: unknown) =>
  error instanceof MongoServerError ? error.code : `no server error: ${error}`

describe("unique indexes", () => {
  test("refuse a second insertOne with code 11000", async () => {
    const log = await newLog()
    await log.insertOne(entry(1, "Alice's"))
    expect(await log.insertOne(entry(1, "Bob's")).catch(codeOf)).toBe(11000)
    expect(
      await log
        .find()
        .map((found) => found.text)
        .toArray(),
    ).toEqual(["Alice's"])
    // Half of the key may be the same.
    await log.insertOne({ ...entry(1), conversation: "bob and carol" })
  })

  test("end an ordered insertMany where it fails, and tell how far it came", async () => {
    const log = await newLog()
    await log.insertOne(entry(3))
    const error = await log.insertMany([1, 2, 3, 4].map((seq) => entry(seq))).catch((e) => e)
    expect(error).toBeInstanceOf(MongoBulkWriteError)
    expect(error.code).toBe(11000)
    expect(error.insertedCount).toBe(2)
    expect(error.writeErrors[0].index).toBe(2)
    expect(await seqs(log)).toEqual([1, 2, 3])
  })

  test("let an unordered insertMany insert the rest, and tell how many", async () => {
    const log = await newLog()
    await log.insertMany([entry(2), entry(4)])
    const all = [1, 2, 3, 4, 5].map((seq) => entry(seq))
    const error = await log.insertMany(all, { ordered: false }).catch((e) => e)
    expect(error).toBeInstanceOf(MongoBulkWriteError)
    expect(error.insertedCount).toBe(3)
    expect(error.writeErrors.map(({ index }: { index: number }) => index)).toEqual([1, 3])
    expect(await seqs(log)).toEqual([1, 2, 3, 4, 5])
  })

  test("let one of 20 concurrent writers have a seq, each time", async () => {
    const log = await newLog()
    for (let seq = 1; seq <= 50; seq += 1) {
      const tries = Array.from({ length: 20 }, (_, writer) =>
        log.insertOne(entry(seq, `writer ${writer}`)).then(() => "inserted", codeOf),
      )
      const results = await Promise.all(tries)
      expect(results.filter((result) => result === "inserted")).toHaveLength(1)
      expect(results.filter((result) => result === 11000)).toHaveLength(19)
    }
    expect(await log.countDocuments()).toBe(50)
  })
})

describe("updates", () => {
  test("lose none of 500 concurrent $inc", async () => {
    const log = await newLog()
    await log.insertOne({ ...entry(1), likes: 0 })
    await Promise.all(
      Array.from({ length: 500 }, () => log.updateOne({ seq: 1 }, { $inc: { likes: 1 } })),
    )
    expect((await log.findOne({ seq: 1 }))?.likes).toBe(500)
  })

  test("compare and set: one of 20 wins, the others match nothing", async () => {
    const log = await newLog()
    await log.insertOne(entry(1, "first"))
    const tries = Array.from({ length: 20 }, (_, writer) =>
      log.updateOne({ seq: 1, text: "first" }, { $set: { text: `writer ${writer}` } }),
    )
    const matched = (await Promise.all(tries)).map((result) => result.matchedCount)
    expect(matched.toSorted()).toEqual([...Array(19).fill(0), 1])
    expect((await log.findOne({ seq: 1 }))?.text).toBe(`writer ${matched.indexOf(1)}`)
  })

  test("upsert with $max, $set and $setOnInsert, and $max never goes back", async () => {
    const marks = client
      .db("parley")
      .collection<{ _id: string; read: number; at: number; since: number }>("marks")
    const move = (read: number, at: number) =>
      marks.updateOne(
        { _id: "bob" },
        { $max: { read }, $set: { at }, $setOnInsert: { since: at } },
        { upsert: true },
      )
    const first = await move(5, 1)
    expect(first).toMatchObject({ matchedCount: 0, upsertedCount: 1, upsertedId: "bob" })
    expect(await move(9, 2)).toMatchObject({ matchedCount: 1, modifiedCount: 1, upsertedCount: 0 })
    await move(7, 3)
    expect(await marks.findOne({ _id: "bob" })).toEqual({ _id: "bob", read: 9, at: 3, since: 1 })
  })

  test("findOneAndUpdate answers the state before or after its own change, and no later one", async () => {
    const log = await newLog()
    await log.insertOne({ ...entry(1), likes: 0 })
    const like = (returnDocument: "before" | "after") =>
      log.findOneAndUpdate({ seq: 1 }, { $inc: { likes: 1 } }, { returnDocument })
    expect((await like("before"))?.likes).toBe(0)
    expect((await like("after"))?.likes).toBe(2)

    const all = await Promise.all(Array.from({ length: 300 }, () => like("after")))
    const seen = all.map((found) => found?.likes ?? 0).toSorted((a, b) => a - b)
    expect(seen).toEqual(Array.from({ length: 300 }, (_, index) => index + 3))
  })
})

test("finds sorted ranges, newest first and in pages", async () => {
  const log = await newLog()
  await log.insertMany(shuffled(Array.from({ length: 500 }, (_, index) => entry(index + 1))))
  await log.insertMany([1, 2, 3].map((seq) => ({ ...entry(seq), conversation: "other" })))

  const range = { conversation: "alice and bob", seq: { $gt: 100, $lte: 300 } }
  const newest = await log.find(range).sort({ seq: -1 }).limit(50).toArray()
  expect(newest.map(({ seq }) => seq)).toEqual(Array.from({ length: 50 }, (_, i) => 300 - i))
  const all = await log.find(range).sort({ seq: 1 }).batchSize(30).toArray()
  expect(all.map(({ seq }) => seq)).toEqual(Array.from({ length: 200 }, (_, i) => 101 + i))
})

describe("indexes", () => {
  interface Thing {
    _id: number
    a?: string | null
    b?: number | null
    tags?: (string | number)[]
  }

  /** Two collections of the same documents, of which one has indexes. */
  async function things(documents: Thing[]) {
    made += 1
    const db = client.db("parley")
    const indexed = db.collection<Thing>(`indexed${made}`)
    const plain = db.collection<Thing>(`plain${made}`)
    await indexed.createIndexes([{ key: { a: 1, b: 1 } }, { key: { a: 1, tags: 1 } }])
    for (const one of [indexed, plain]) await one.insertMany(documents)
    return { indexed, plain }
  }

  const letters = fc.constantFrom("a", "é", "")
  const numbers = fc.oneof(fc.integer({ min: -3, max: 3 }), fc.constantFrom(0.5, 2 ** 40))
  const thing = fc.record(
    {
      a: fc.option(letters),
      b: fc.option(numbers),
      tags: fc.array(fc.oneof(letters, numbers), { maxLength: 3 }),
    },
    { requiredKeys: [] },
  )
  const bounds = (value: fc.Arbitrary<unknown>) =>
    fc.record({ $gt: value, $gte: value, $lt: value, $lte: value }, { requiredKeys: [] })
  const wanted = (value: fc.Arbitrary<unknown>) =>
    fc.oneof(
      { arbitrary: value, weight: 2 },
      fc.constant(null),
      fc.array(value, { maxLength: 3 }).map(($in) => ({ $in })),
      {
        arbitrary: bounds(value).filter((range) => Object.keys(range).length > 0),
        weight: 2,
      },
    )
  const query = fc.record(
    { a: wanted(letters), b: wanted(numbers), tags: wanted(fc.oneof(letters, numbers)) },
    { requiredKeys: [] },
  )
  const filter = fc.oneof(
    query,
    fc.array(query, { minLength: 1, maxLength: 3 }).map(($or) => ({ $or })),
  )
  // Not by `tags`: the server's own order of arrays is none, so what it finds first depends on where it begins.
  const sort = fc.constantFrom<Record<string, 1 | -1>>(
    { _id: 1 },
    { a: 1, b: 1, _id: 1 },
    { b: -1, _id: 1 },
    { a: -1, b: -1, _id: -1 },
  )

  const all = fc.array(thing, { minLength: 20, maxLength: 40 })
  const question = fc.tuple(filter as fc.Arbitrary<Filter<Thing>>, sort)

  const ids = async (from: Collection<Thing>, filter: Filter<Thing>) => {
    const found = from.find(filter).sort({ _id: 1 })
    return (await found.toArray()).map(({ _id }) => _id)
  }

  test("find what a look at every document finds, in the same order", async () => {
    await fc.assert(
      fc.asyncProperty(all, fc.array(question, { minLength: 60 }), async (given, asked) => {
        const { indexed, plain } = await things(given.map((one, _id) => ({ _id, ...one })))
        for (const [filter, order] of asked) {
          const find = (from: Collection<Thing>) => from.find(filter).sort(order).limit(7).toArray()
          expect(await find(indexed)).toEqual(await find(plain))
        }
        for (const one of [indexed, plain]) {
          await one.updateMany({ a: "a" }, { $set: { a: "é", tags: ["new"] } })
          await one.deleteMany({ b: { $gt: 0 } })
        }
        for (const [filter] of asked) {
          const left = await ids(plain, filter)
          expect(await ids(indexed, filter)).toEqual(left)
          expect(await indexed.countDocuments(filter)).toBe(left.length)
        }
        await indexed.drop()
        await plain.drop()
      }),
      { numRuns: 10, endOnFailure: true },
    )
  })

  test("make a range of many documents a matter of its length", async () => {
    const documents = Array.from({ length: 5_000 }, (_, b) => ({ _id: b, a: "a", b }))
    const { indexed, plain } = await things(documents)
    const time = async (from: Collection<Thing>, times: number) => {
      let least = Number.POSITIVE_INFINITY
      for (let i = 0; i < times; i += 1) {
        const began = performance.now()
        const newest = from
          .find({ a: "a", b: { $lt: 4_000 } })
          .sort({ b: -1 })
          .limit(2)
        expect((await newest.toArray()).map(({ b }) => b)).toEqual([3_999, 3_998])
        least = Math.min(least, performance.now() - began)
      }
      return least
    }
    expect(await time(indexed, 40)).toBeLessThan((await time(plain, 10)) / 2)
  })

  test("are there again after a kill", async () => {
    const dataDir = mkdtempSync(join(tmpdir(), "parley-mongo-test-"))
    try {
      await using killed = await startMongo({ dataDir, report })
      const open = async () => {
        const client = connect(killed.url)
        const all = client.db("parley").collection<Thing>("things")
        return { all, [Symbol.asyncDispose]: () => client.close() }
      }
      {
        await using before = await open()
        await before.all.createIndex({ a: 1, tags: 1 })
        await before.all.insertMany([{ _id: 1, a: "a", tags: ["x", "y"] }, { _id: 2 }])
        await before.all.insertOne({ _id: 3, a: "a", tags: [] })
      }
      await killed.kill()
      await killed.restart()
      await using after = await open()
      expect(await ids(after.all, { a: "a" })).toEqual([1, 3])
      expect(await ids(after.all, { a: "a", tags: { $gt: "x" } })).toEqual([1])
      expect(await ids(after.all, { a: null })).toEqual([2])
    } finally {
      rmSync(dataDir, { recursive: true, force: true })
    }
  })
})

describe("faults", () => {
  test("a kill loses no acknowledged write, under the same address", async () => {
    const dataDir = mkdtempSync(join(tmpdir(), "parley-mongo-test-"))
    try {
      await using killed = await startMongo({ dataDir, report })
      const { url, pid } = killed
      for (let round = 0; round < 3; round += 1) {
        await using client = connect(url)
        const log = client.db("parley").collection<Entry>("entries")
        await log.createIndex({ conversation: 1, seq: 1 }, { unique: true })
        const acknowledged: number[] = await seqs(log)
        expect(acknowledged).toHaveLength(new Set(acknowledged).size)
        const write = async (writer: number) => {
          for (let n = 0; ; n += 1) {
            const seq = (round * 10 + writer) * 100_000 + n
            await log.insertOne(entry(seq))
            acknowledged.push(seq)
            if (acknowledged.length === (round + 1) * 300) void killed.kill()
          }
        }
        // Each goes on until the server is gone.
        await Promise.allSettled([0, 1, 2, 3, 4].map(write))
        expect(acknowledged.length).toBeGreaterThanOrEqual((round + 1) * 300)
        await killed.restart()

        await using after = connect(url)
        const found = new Set(await seqs(after.db("parley").collection<Entry>("entries")))
        expect(acknowledged.filter((seq) => !found.has(seq))).toEqual([])
      }
      expect(killed.pid).not.toBe(pid)
    } finally {
      rmSync(dataDir, { recursive: true, force: true })
    }
  })

  test("keeps its data where it is stopped, for a start at another port", async () => {
    const dataDir = mkdtempSync(join(tmpdir(), "parley-mongo-test-"))
    try {
      for (const seq of [1, 2]) {
        await using again = await startMongo({ dataDir, report })
        await using client = connect(again.url)
        const log = client.db("parley").collection<Entry>("entries")
        await log.createIndex({ conversation: 1, seq: 1 }, { unique: true })
        await log.insertOne(entry(seq))
        expect(await seqs(log)).toEqual(seq === 1 ? [1] : [1, 2])
        expect(await log.insertOne(entry(1)).catch(codeOf)).toBe(11000)
      }
    } finally {
      rmSync(dataDir, { recursive: true, force: true })
    }
  })

  test("frozen, it answers nothing; thawed, it carries out what waited", async () => {
    const log = await newLog()
    await log.insertOne(entry(1))
    mongo.freeze()
    let answered = false
    const waiting = log.insertOne(entry(2)).finally(() => {
      answered = true
    })
    // Another process stands for "long enough for an answer": one that is not frozen starts meanwhile.
    await using _other = await startMongo()
    expect(answered).toBe(false)
    mongo.thaw()
    await waiting
    expect(await seqs(log)).toEqual([1, 2])
  })
})

const seqs = async (log: Collection<Entry>) =>
  (await log.find().sort({ seq: 1 }).toArray()).map(({ seq }) => seq)

/** In an order that is not the one to be found, and the same every time. */
const shuffled = (entries: Entry[]) =>
  entries.toSorted((a, b) => ((a.seq * 7919) % 503) - ((b.seq * 7919) % 503))
