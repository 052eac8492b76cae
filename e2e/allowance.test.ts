import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { type Parley, startParley } from "../testing/parley.ts"
import type { Answer, Person } from "../testing/person.ts"
import { TOPOLOGIES } from "../testing/topologies.ts"

const GROUPS = 5
const STRANGERS = 12
const CREATE =
  'mutation($of: [ID!]!, $id: ID) { createGroup(title: "T", members: $of, id: $id) { id } }'

/** How many were done, and what the others were told. */
async function outcomesOf(asked: Promise<Answer<unknown>>[]) {
  const answers = await Promise.all(asked)
  const refusals = answers.flatMap(
    ({ errors }) => errors?.map(({ extensions }) => extensions) ?? [],
  )
  return { done: answers.length - refusals.length, refusals }
}

describe.each(TOPOLOGIES)("on %s", (topology) => {
  let parley: Parley
  beforeAll(async () => {
    const environment = { GROUPS_PER_DAY: `${GROUPS}`, STRANGERS_PER_DAY: `${STRANGERS}` }
    parley = await startParley(topology, { environment })
  }, 120_000)
  afterAll(async () => {
    await parley?.[Symbol.asyncDispose]()
  })

  /** The same account at each gateway in turn. */
  const turns = (person: Person, count: number): Person[] =>
    Array.from({ length: count }, (_, i) => person.at(parley.gateways[i % parley.gateways.length]!))

  test("one account makes so many groups in a day, at whichever gateways it asks", async () => {
    const [mallory, victim] = [await parley.person("Mallory"), await parley.person("Victim")]
    const asked = turns(mallory, 40).map((at) => at.ask(CREATE, { of: [victim.id] }))
    const { done, refusals } = await outcomesOf(asked)
    expect(done).toBe(GROUPS)
    for (const refusal of refusals) {
      expect(refusal).toMatchObject({ code: "RATE_LIMITED", retryable: true })
      expect(refusal.retryAfterMs).toBeWithin(1, 24 * 60 * 60 * 1000 + 1)
    }
    const list = await victim.get<{ conversations: { edges: unknown[] } }>(
      "{ conversations(first: 50) { edges { cursor } } }",
    )
    expect(list.conversations.edges).toHaveLength(GROUPS)
  }, 60_000)

  test("one account has one bucket, whichever gateways it asks, and another one its own", async () => {
    const [mallory, alice] = [await parley.person("Mallory"), await parley.person("Alice")]
    const chat = await mallory.chatWith(alice)
    const large = "😀".repeat(8_000)
    const began = performance.now()
    const answers: Promise<Answer<unknown>>[] = []
    for (let sent = 0; sent < 200; sent += 20) {
      const some = turns(mallory, 20).map((at) => at.send(chat, large))
      answers.push(...some)
      await Promise.all(some)
    }
    const { done, refusals } = await outcomesOf(answers)
    // A bucket of 1,000 holds 31 of them; one more comes back in 6.5 s.
    const back = (performance.now() - began) / 6_450
    expect(done).toBeWithin(30, Math.ceil(31 + back) + 2)
    expect(new Set(refusals.map(({ code }) => code))).toEqual(new Set(["RATE_LIMITED"]))
    expect((await alice.send(chat, "I am still here")).errors).toBeUndefined()
  }, 60_000)

  test("who may be added is their own setting, at every gateway from when it is answered", async () => {
    const [alice, bob, carol] = [
      await parley.person("Alice"),
      await parley.person("Bob"),
      await parley.person("Carol"),
    ]
    const add = (user: Person) =>
      turns(alice, 4).map((at) => at.ask(CREATE, { of: [user.id, bob.id] }))
    const set = (user: Person, to: string) =>
      user.get("mutation($to: Adders) { updateSettings(input: { mayAdd: $to }) { mayAdd } }", {
        to,
      })
    await set(carol, "CONTACTS")
    for (const { errors } of await Promise.all(add(carol))) {
      expect(errors).toMatchObject([
        {
          message: "These people cannot be added.",
          extensions: { code: "FORBIDDEN", retryable: false, users: [carol.id] },
        },
      ])
    }
    // Carol begins: now they know each other.
    await carol.chatWith(alice)
    expect((await outcomesOf(add(carol).slice(0, 2))).done).toBe(2)
    await set(carol, "NOBODY")
    expect((await outcomesOf(add(carol))).done).toBe(0)
    expect(await alice.chatWith(carol)).toBeString()
  }, 60_000)

  test("a group whose answer was lost is made again, at another gateway, as the same one", async () => {
    const [alice, bob] = [await parley.person("Alice"), await parley.person("Bob")]
    const id = Bun.randomUUIDv7()
    const asked = turns(alice, 6).map((at) =>
      at.get<{ createGroup: { id: string } }>(CREATE, { of: [bob.id], id }),
    )
    for (const { createGroup } of await Promise.all(asked)) expect(createGroup.id).toBe(id)
    expect(await bob.refusal(CREATE, { of: [], id })).toBe("CONFLICT")
  }, 60_000)
})
