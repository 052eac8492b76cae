import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { until } from "@parley/testing/until.ts"
import { type Db, MongoClient } from "mongodb"
import { newDatabase } from "../engines/test/mongo.ts"
import { inRoot } from "../platform/machine/root.ts"
import { LIFTED_LIMITS } from "../testing/lifted-limits.ts"
import { type Parley, startParley } from "../testing/parley.ts"
import type { Person } from "../testing/person.ts"
import { sharedEngines } from "../testing/topologies.ts"

const folder = mkdtempSync(join(tmpdir(), "parley-promote-"))
const dataDir = join(folder, "data")
const MESSAGES = 2_500

/** Whatever somebody sees of their conversations. */
const EVERYTHING = `{ conversations(first: 5) { edges { node {
  id kind title createdAt head unreadCount
  me { role joinedAt delivered read }
  members(first: 5) { totalCount edges { node { user { id username name } role joinedAt delivered read } } }
  lastMessage { status } log(after: 0, first: 500) { seq at by { id } ... on MessageSent { message { id text } }
    ... on MembersChanged { joined { id } left { id } promoted { id } demoted { id } } }
} } } settings { mayAdd } me { id username name about } sessions { id device createdAt } }`
const seenBy = (people: Person[]) => Promise.all(people.map((person) => person.get(EVERYTHING)))

let server: { url: string }
let publicUrl: string
let people: Person[]
let before: unknown[]

/** Alice and Bob talk, Carol was removed from a group, Dave is in another one. */
async function live(parley: Parley): Promise<void> {
  for (const name of ["Alice", "Bob", "Carol", "Dave"]) people.push(await parley.person(name))
  const [alice, bob, carol, dave] = people as [Person, Person, Person, Person]
  const group = await alice.chatWith(bob, carol)
  await carol.deliver(group, "I was here")
  const users = { c: group, u: carol.id }
  await alice.get(
    "mutation($c: ID!, $u: ID!) { removeMember(conversation: $c, user: $u) { id } }",
    users,
  )
  const { seq } = await bob.deliver(await alice.chatWith(bob), "Hello Alice")
  const read = "mutation($c: ID!, $s: Int!) { markRead(conversation: $c, seq: $s) { read } }"
  await alice.get(read, { c: await alice.chatWith(bob), s: seq })
  await dave.get("mutation { updateSettings(input: { mayAdd: CONTACTS }) { mayAdd } }")
  await dave.get('mutation { updateProfile(input: { about: "Alone, mostly" }) { id } }')
  const long = await dave.chatWith(alice)
  for (let sent = 0; sent < MESSAGES; sent += 50) {
    await Promise.all(Array.from({ length: 50 }, (_, i) => dave.deliver(long, `Word ${sent + i}`)))
  }
}

function promote(environment: Record<string, string>) {
  const child = Bun.spawn([process.execPath, inRoot("cli/main.ts"), "promote"], {
    env: { ...process.env, DATA_DIR: dataDir, ...environment },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  })
  return {
    child,
    async ended() {
      const [out, err] = await Promise.all([
        new Response(child.stdout).text(),
        new Response(child.stderr).text(),
      ])
      return { status: await child.exited, out, err }
    },
  }
}

beforeAll(async () => {
  server = { url: (await sharedEngines()).mongodbUrl }
  people = []
  // Dave writes more than a person does.
  const environment = LIFTED_LIMITS
  await using parley = await startParley("one embedded node", { dataDir, environment })
  publicUrl = parley.url
  await live(parley)
  before = await seenBy(people)
}, 120_000)
afterAll(() => rmSync(folder, { recursive: true }))

describe("a promotion", () => {
  test("killed again and again is taken up again, and a cluster goes on where the one node was", async () => {
    await using database = newDatabase(server)
    await using client = new MongoClient(database.url)
    const db = client.db()
    const some = async (collection: string) => (await db.collection(collection).findOne()) !== null
    const total = MESSAGES / 2
    const moments: [string, () => Promise<boolean>][] = [
      ["it has begun", () => some("promotions")],
      ["it copies accounts", () => some("users")],
      ["it copies conversations", () => some("entries")],
      [
        "half of them are there",
        async () => (await db.collection("entries").countDocuments()) > total,
      ],
      ["it reads back", () => some("secrets")],
    ]
    for (const [what, reached] of moments) {
      const { child, ended } = promote({ MONGODB_URL: database.url })
      await until(async () => child.exitCode !== null || (await reached()), what, 60_000)
      child.kill("SIGKILL")
      expect({ ...(await ended()), signal: child.signalCode, what }).toMatchObject({
        out: "",
        signal: "SIGKILL",
      })
    }
    const { status, out, err } = await promote({ MONGODB_URL: database.url }).ended()
    expect(out + err).toMatch(
      /^Moved to MongoDB, read back and found the same: 4 users, 4 sessions, /,
    )
    expect(status).toBe(0)
    const again = await promote({ MONGODB_URL: database.url }).ended()
    expect(again).toMatchObject({ status: 0, err: "" })
    expect(again.out).toMatch(/^This was done on \S+, and nothing was touched now\.\n$/)

    await using cluster = await startParley("a cluster of three", {
      dataDir,
      environment: { MONGODB_URL: database.url, PUBLIC_URL: publicUrl },
    })
    const same = people.map((person, i) => person.at(cluster.gateways[i % 2]!))
    expect(await seenBy(same)).toEqual(before)
    // Cookies hold for longer than the token in them.
    for (const person of same) await person.get("mutation { refreshSession { id } }")
    const [alice, bob] = [same[0]!, await same[1]!.onAnotherDevice()]
    const reading = bob.read()
    await reading.ready()
    const chat = await alice.chatWith(bob)
    await alice.deliver(chat, "We have grown")
    await until(() => reading.messages(chat).includes("We have grown"), "Bob to hear Alice")
    await reading.stop()
  }, 180_000)

  test("finds what was stored otherwise, and says where", async () => {
    await using database = newDatabase(server)
    await using client = new MongoClient(database.url)
    const entries = client.db().collection<{ _id: string }>("entries")
    const { child } = promote({ MONGODB_URL: database.url })
    const message = () => entries.findOne({ kind: "message" })
    await until(async () => (await message()) !== null, "it copies conversations", 60_000)
    child.kill("SIGKILL")
    await child.exited

    await entries.updateOne(
      { _id: (await message())!._id },
      { $set: { text: "I never said this" } },
    )
    const { status, out, err } = await promote({ MONGODB_URL: database.url }).ended()
    expect({ status, out }).toEqual({ status: 1, out: "" })
    expect(err).toMatch(/^The conversation \S+ was not stored as it was\.$/m)
  }, 60_000)
})

describe("a promotion is refused", () => {
  const refused = async (environment: Record<string, string>) => {
    const { status, out, err } = await promote(environment).ended()
    expect({ status, out }).toEqual({ status: 1, out: "" })
    expect(err).toMatch(/^[^\n]+\n$/)
    return err
  }

  test.each([
    ["accounts", (db: Db) => db.collection("users").insertOne({ username: "eve" }), "users"],
    ["conversations", (db: Db) => db.collection("entries").insertOne({ seq: 1 }), "entries"],
    ["nodes", (db: Db) => db.collection("nodes").insertOne({ beat: 1 }), "chat nodes have run"],
    [
      "another installation",
      (db: Db) => db.collection("promotions").insertOne({ _id: "promotion" as never, of: "other" }),
      "another installation",
    ],
  ])("where the database has somebody else's %s, which stay", async (_, make, says) => {
    await using database = newDatabase(server)
    await using client = new MongoClient(database.url)
    await make(client.db())
    expect(await refused({ MONGODB_URL: database.url })).toContain(says)
    expect(await client.db().collection("users").countDocuments({ username: "alice1" })).toBe(0)
  })

  test("where the folder is in use, is none, or has nothing in it", async () => {
    const database = newDatabase(server)
    const MONGODB_URL = database.url
    const empty = join(folder, "empty")
    mkdirSync(empty)
    expect(await refused({ MONGODB_URL, DATA_DIR: empty })).toMatch(/^There is no installation in /)
    expect(await refused({ MONGODB_URL, DATA_DIR: join(folder, "none") })).toMatch(
      /^There is no folder/,
    )
    await using _parley = await startParley("one embedded node", { dataDir })
    expect(await refused({ MONGODB_URL })).toMatch(/^A Parley is running on the data folder /)
  })

  test("where there is no MongoDB, or none is named", async () => {
    const MONGODB_URL = "mongodb://127.0.0.1:1/parley"
    expect(await refused({ MONGODB_URL })).toMatch(/^The MongoDB at 127\.0\.0\.1:1 /)
    expect(await refused({ MONGODB_URL: "" })).toBe("MONGODB_URL is missing.\n")
  })
})
