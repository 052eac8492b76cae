import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { EVER, NO_USAGE } from "../domain/usage.ts"
import { COMMON_PER_QUERY } from "../limits.ts"
import { createLog, messageId } from "../test/log-builder.ts"
import type { StorePlace } from "./store.contract.ts"
import type { Store } from "./store.ts"

/** What every engine behind the port `Store` promises of people: what they do, what they have chosen, whom they meet. */
export function peopleContract(name: string, prepare: () => Promise<StorePlace>): void {
  describe(`what people do and choose, on ${name}`, () => {
    let place: StorePlace
    let store: Store
    /** The same data, as another node sees it. */
    let other: Store
    let people = 0
    const person = () => `person-${++people}`

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

    /** A new group of these people. */
    async function group(...members: string[]) {
      const log = createLog(`conversation-${messageId()}`)
      await store.append([log.founded(members[0]!, members.slice(1))])
      return log
    }

    describe("usage", () => {
      test("is nothing at first, and then the sum of what was added, day by day", async () => {
        const user = person()
        expect(await store.usage.of(user, 20_000)).toEqual(NO_USAGE)
        expect(await store.usage.add(user, 20_000, { bytes: 5, groups: 1 })).toEqual({
          ...NO_USAGE,
          ...{ bytes: 5, groups: 1 },
        })
        expect(await other.usage.add(user, 20_000, { bytes: 7, groups: -1 })).toMatchObject({
          ...{ bytes: 12, groups: 0 },
        })
        expect(await store.usage.of(user, 20_001)).toEqual(NO_USAGE)
        expect(await other.usage.of(user, 20_000)).toEqual({ ...NO_USAGE, bytes: 12 })
      })

      test("loses none of what is added at once", async () => {
        const user = person()
        const adding = Array.from({ length: 100 }, (_, i) =>
          [store, other][i % 2]!.usage.add(user, 20_000, { bytes: 3 }),
        )
        await Promise.all(adding)
        expect(await store.usage.of(user, 20_000)).toMatchObject({ bytes: 300 })
      })

      test("is reserved up to its bound, and a refusal says which and adds nothing", async () => {
        const user = person()
        const { usage } = store
        expect(await usage.reserve(user, 20_000, { groups: 3 }, { groups: 2 })).toBe("groups")
        expect(await usage.reserve(user, 20_000, { groups: 2 }, { groups: 2 })).toBeUndefined()
        const both = { groups: 1, adds: 1 }
        expect(await usage.reserve(user, 20_000, both, { groups: 3, adds: 0 })).toBe("adds")
        expect(await usage.reserve(user, 20_000, both, { groups: 2, adds: 9 })).toBe("groups")
        expect(await usage.reserve(user, 20_000, both, { groups: 3, adds: 1 })).toBeUndefined()
        expect(await usage.of(user, 20_000)).toMatchObject({ groups: 3, adds: 1 })
        await usage.add(user, 20_000, { groups: -1 })
        expect(await usage.reserve(user, 20_000, { groups: 1 }, { groups: 3 })).toBeUndefined()
        expect(await usage.reserve(user, 20_001, { groups: 3 }, { groups: 3 })).toBeUndefined()
      })

      test("passes no bound, however many nodes reserve at once", async () => {
        const user = person()
        const reserving = Array.from({ length: 60 }, (_, i) =>
          [store, other][i % 2]!.usage.reserve(user, 20_000, { adds: 3 }, { adds: 50 }),
        )
        const outcomes = await Promise.all(reserving)
        expect(outcomes.filter((outcome) => outcome === undefined)).toHaveLength(16)
        expect(await other.usage.of(user, 20_000)).toMatchObject({ adds: 48 })
      })

      test("of old days is forgotten, but not that of all days", async () => {
        const user = person()
        for (const day of [EVER, 19_000, 19_001, 19_002]) {
          await store.usage.add(user, day, { bytes: day + 1 })
        }
        await other.usage.forget(19_001)
        const kept = [EVER, 19_000, 19_001, 19_002].map((day) => store.usage.of(user, day))
        expect((await Promise.all(kept)).map(({ bytes }) => bytes)).toEqual([1, 0, 19_002, 19_003])
      })
    })

    test("settings are those that were put last, of those who have chosen any", async () => {
      const [one, two, three] = [person(), person(), person()]
      expect(await store.people.settings([one, two])).toEqual(new Map())
      await store.people.putSettings(one, { mayAdd: "NOBODY" })
      await store.people.putSettings(two, { mayAdd: "NOBODY" })
      await other.people.putSettings(two, { mayAdd: "CONTACTS" })
      expect(await store.people.settings([one, two, three])).toEqual(
        new Map([
          [one, { mayAdd: "NOBODY" }],
          [two, { mayAdd: "CONTACTS" }],
        ]),
      )
      expect(await store.people.settings([])).toEqual(new Map())
    })

    test("present conversations are counted, up to the limit", async () => {
      const [one, two, three] = [person(), person(), person()]
      await group(one, two)
      await group(one, two)
      const left = await group(one, two)
      await store.append([left.changed(one, { left: [two] })])
      const count = (limit: number) => other.people.countConversations([one, two, three], limit)
      const counts = (...numbers: number[]) =>
        new Map([one, two, three].map((user, i) => [user, numbers[i]!]))
      expect(await count(100)).toEqual(counts(3, 2, 0))
      expect(await count(1)).toEqual(counts(1, 1, 0))
      await store.append([left.changed(one, { joined: [two] })])
      expect(await count(100)).toEqual(counts(3, 3, 0))
    })

    describe("contacts", () => {
      test("are those with whom a conversation is shared now", async () => {
        const [one, friend, former, departed, stranger] = Array.from({ length: 5 }, person) as [
          ...[string, string, string, string, string],
        ]
        await group(one, friend)
        await group(friend, stranger)
        const left = await group(one, former)
        await store.append([left.changed(one, { left: [former] })])
        // Whom the user has left is no contact either.
        const gone = await group(departed, one)
        await store.append([gone.changed(departed, { left: [one] })])
        const others = [friend, former, departed, stranger]
        expect(await other.people.contacts(one, others)).toEqual(new Set([friend]))
        expect(await store.people.contacts(stranger, [friend, one])).toEqual(new Set([friend]))
        expect(await store.people.contacts(person(), others)).toEqual(new Set())
        expect(await store.people.contacts(one, [])).toEqual(new Set())
      })

      test("are found among many people who are in many conversations, and in many of one's own", async () => {
        const one = person()
        const colleagues = Array.from({ length: 50 }, person)
        for (let i = 0; i < 50; i++) await group(...colleagues)
        for (let i = 0; i <= COMMON_PER_QUERY; i++) await group(one)
        await group(one, ...colleagues)
        expect(await store.people.contacts(one, [person(), ...colleagues])).toEqual(
          new Set(colleagues),
        )
      })
    })
  })
}
