import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import fc from "fast-check"
import { type ConversationState, emptyState, fold } from "../domain/conversation-state.ts"
import type { Entry } from "../domain/entry.ts"
import { textBytes } from "../domain/entry-bytes.ts"
import { createLog, messageId } from "../test/log-builder.ts"
import type { Store } from "./store.ts"

/** An empty place of its own for one engine's data. Each `open` is another node's handle on the same data. */
export interface StorePlace extends AsyncDisposable {
  open(): Promise<Store>
}

const newConversation = () => `conversation-${messageId()}`

/** What every engine behind the port `Store` promises. */
export function storeContract(name: string, prepare: () => Promise<StorePlace>): void {
  describe(`the store on ${name}`, () => {
    let place: StorePlace
    let store: Store
    /** The same data, as another node sees it. */
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

    /** A new group of Alice (its founder), Bob and Carol. */
    async function group(...more: ((log: ReturnType<typeof createLog>) => Entry)[]) {
      const conversation = newConversation()
      const log = createLog(conversation)
      const entries = [log.founded("alice", ["bob", "carol"]), ...more.map((make) => make(log))]
      expect(await store.append(entries)).toBe(entries.length)
      return { conversation, log, entries }
    }
    const all = (conversation: string) => other.entries(conversation, 0, 10_000)

    describe("append", () => {
      test("stores entries in order and gives them back as they were", async () => {
        const texts = [
          "",
          "👩‍👩‍👧‍👦 ﷽ שלום",
          `{"$gt":""} ' " ; --`,
          "𝒳".repeat(8_000),
          "a\nb\tc\r\u{2028}",
        ]
        const { conversation, entries } = await group(
          ...texts.map((text) => (log: ReturnType<typeof createLog>) => log.message("bob", text)),
          (log) =>
            log.changed("alice", { joined: ["dave"], promoted: ["bob"], demoted: ["alice"] }),
          (log) => log.changed("bob", { left: ["carol"] }),
        )
        expect(await all(conversation)).toEqual(entries)
      })

      test("of nothing stores nothing", async () => {
        expect(await store.append([])).toBe(0)
      })

      test("refuses a seq that is taken, and changes nothing", async () => {
        const { conversation, entries } = await group((log) => log.message("alice"))
        const rival = createLog(conversation)
        rival.founded("alice")
        const late = [rival.changed("alice", { left: ["bob"] }), rival.message("alice", "too late")]
        expect(await other.append(late)).toBe(0)
        expect(await all(conversation)).toEqual(entries)
        expect((await store.member(conversation, "bob"))?.until).toBeNull()
        expect((await store.state(conversation)).head).toBe(2)
      })

      test("refuses a seq that would leave a hole below it", async () => {
        const { conversation, log, entries } = await group()
        log.message("alice", "skipped")
        expect(await store.append([log.message("alice")])).toBe(0)
        expect(await all(conversation)).toEqual(entries)

        const unborn = createLog(newConversation())
        unborn.founded("alice")
        expect(await store.append([unborn.message("alice")])).toBe(0)
      })

      test("refuses a message id that another conversation has", async () => {
        const id = messageId()
        await group((log) => log.message("alice", "mine", id))
        const { conversation, log, entries } = await group()
        expect(await other.append([log.message("alice", "mine", id)])).toBe(0)
        expect(await all(conversation)).toEqual(entries)
      })

      test("stores what comes before a taken message id, and nothing after it", async () => {
        const id = messageId()
        const { conversation, log, entries } = await group((log) => log.message("bob", "first", id))
        const batch = [
          log.message("alice"),
          log.message("carol"),
          log.message("bob", "again", id),
          log.message("alice"),
        ]
        expect(await store.append(batch)).toBe(2)
        expect(await all(conversation)).toEqual([...entries, ...batch.slice(0, 2)])
        expect((await store.state(conversation)).head).toBe(4)
        const [membership] = (await store.memberships("alice")).filter(
          (membership) => membership.conversation === conversation,
        )
        expect(membership).toMatchObject({ head: 4, headAt: batch[1]!.at })
      })

      test("stops before a message id that the batch itself has had", async () => {
        const id = messageId()
        const { log } = await group()
        expect(await store.append([log.message("bob", "1", id), log.message("bob", "2", id)])).toBe(
          1,
        )
      })

      test("has one winner where several write the same seq at once, 1,000 times over", async () => {
        const conversation = newConversation()
        const first = createLog(conversation).founded("alice")
        await store.append([first])
        const nodes = [store, other]
        for (let seq = 2; seq <= 1_001; seq++) {
          const rivals = ["w", "x", "y", "z"].map(
            (by): Entry => ({
              ...{ kind: "message", conversation, seq, at: first.at + seq, by, id: messageId() },
              ...{ text: `by ${by}`, tally: { messages: seq - 1, ofAuthor: 1, members: 1 } },
            }),
          )
          const stored = await Promise.all(rivals.map((entry, i) => nodes[i % 2]!.append([entry])))
          const winners = rivals.filter((_, i) => stored[i] === 1)
          expect(winners).toHaveLength(1)
          expect(await store.entries(conversation, seq - 1, 10)).toEqual(winners)
        }
      }, 30_000)

      test("keeps conversations that are written at once apart", async () => {
        const logs = Array.from({ length: 50 }, () => createLog(newConversation()))
        const entries = logs.map((log, i) => [
          log.founded("alice", [`user-${i}`]),
          log.message("alice"),
        ])
        const stored = await Promise.all(entries.map((of, i) => [store, other][i % 2]!.append(of)))
        expect(stored).toEqual(entries.map(() => 2))
        for (const of of entries) expect(await all(of[0]!.conversation)).toEqual(of)
      })
    })

    describe("what is derived from a log", () => {
      test("is a state with head 0 where there is no such conversation", async () => {
        expect(await store.state("nowhere")).toEqual(emptyState("nowhere"))
        expect(await store.entries("nowhere", 0, 10)).toEqual([])
        expect(await store.member("nowhere", "alice")).toBeUndefined()
        expect(await store.members("nowhere", "", 10)).toEqual([])
        expect(await store.countMembers("nowhere")).toBe(0)
        expect(await store.countMessages("nowhere", 0, 10)).toBe(0)
        expect(await store.countMessages("nowhere", 2, 10, "alice")).toBe(0)
        expect(await store.origin("nowhere")).toBeUndefined()
        expect(await store.entry("nowhere", 1)).toBeUndefined()
        expect(await store.memberships("nobody")).toEqual([])
        expect(await store.moveMarks("nowhere", "alice", { read: 1 })).toBeUndefined()
        expect(await store.lowestMarks("nowhere")).toEqual({ delivered: [], read: [] })
      })

      test("is the state that the entries fold to", async () => {
        const users = ["alice", "bob", "carol", "dave"]
        const pick = fc.subarray(users)
        const step = fc.oneof(
          fc.constantFrom(...users).map((by) => ({ by, change: undefined })),
          fc.record({
            by: fc.constantFrom(...users),
            change: fc.record({ joined: pick, left: pick, promoted: pick, demoted: pick }),
          }),
        )
        await fc.assert(
          fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
            const conversation = newConversation()
            const log = createLog(conversation)
            const model = emptyState(conversation)
            const entries = [log.founded("alice", ["bob"])] as Entry[]
            for (const { by, change } of steps) {
              // As the domain has it: who joins is none yet, who leaves is one, and nobody does both.
              const members = entries.reduce(membersAfter, new Set<string>())
              const joined = change?.joined.filter((user) => !members.has(user)) ?? []
              const left = change?.left.filter((user) => members.has(user)) ?? []
              const remaining = (user: string) =>
                (members.has(user) || joined.includes(user)) && !left.includes(user)
              const promoted = change?.promoted.filter(remaining) ?? []
              const demoted = (change?.demoted ?? []).filter(
                (user) => remaining(user) && !promoted.includes(user),
              )
              entries.push(
                change ? log.changed(by, { joined, left, promoted, demoted }) : log.message(by),
              )
            }
            expect(await store.append(entries)).toBe(entries.length)
            for (const entry of entries) fold(model, entry)
            expect(comparable(await other.state(conversation))).toEqual(comparable(model))
            expect((await other.members(conversation, "", 100)).map(({ user }) => user)).toEqual(
              [...model.members.keys()].sort(),
            )
            expect(await other.countMembers(conversation)).toBe(model.members.size)
          }),
          { numRuns: 60 },
        )
      })

      test("is each membership, present and past, with the head of its log", async () => {
        const user = "erin"
        const present = await group((log) => log.changed("alice", { joined: [user] }))
        const past = await group(
          (log) => log.changed("alice", { joined: [user] }),
          (log) => log.changed("alice", { left: [user] }),
          (log) => log.message("alice"),
        )
        const memberships = await other.memberships(user)
        const of = (conversation: string) =>
          memberships.find((membership) => membership.conversation === conversation)
        expect(memberships).toHaveLength(2)
        const joinedAt = present.entries[1]!.at
        expect(of(present.conversation)).toEqual({
          ...{ conversation: present.conversation, user, role: "MEMBER", since: 2, joinedAt },
          ...{ until: null, delivered: 2, read: 2, head: 2, headAt: joinedAt },
        })
        expect(of(past.conversation)).toMatchObject({ since: 2, until: 3 })
        const { head, headAt } = of(past.conversation)!
        expect(head).toBeGreaterThanOrEqual(3)
        expect(headAt).toBe(past.entries[head - 1]!.at)
      })

      test("is read a range of memberships at a time", async () => {
        const user = `range-${messageId()}`
        const ids: string[] = []
        for (let i = 0; i < 7; i++) {
          ids.push((await group((log) => log.changed("alice", { joined: [user] }))).conversation)
        }
        ids.sort()
        const whole = await other.memberships(user)
        expect(whole).toHaveLength(7)
        const read: string[] = []
        for (let after = ""; read.length < 7; after = read.at(-1)!) {
          const range = await other.memberships(user, { after, limit: 3 })
          for (const one of range) {
            expect(one).toEqual(
              whole.find(({ conversation }) => conversation === one.conversation)!,
            )
            read.push(one.conversation)
          }
        }
        expect(read).toEqual(ids)
        expect(await other.memberships(user, { after: ids.at(-1)!, limit: 3 })).toEqual([])
      })

      test("is a user's list by newest entry, page by page, without what they have left", async () => {
        const user = `list-${messageId()}`
        const joined = (log: ReturnType<typeof createLog>) =>
          log.changed("alice", { joined: [user] })
        const say = (log: ReturnType<typeof createLog>) => log.message("alice")
        // Some end at the same moment: then their ids decide.
        const made = []
        for (const messages of [3, 0, 1, 1, 2, 0, 3]) {
          made.push(await group(joined, ...Array.from({ length: messages }, () => say)))
        }
        await group(joined, say, (log) => log.changed("alice", { left: [user] }), say, say, say)
        const expected = made
          .map(({ conversation, entries }) => ({ conversation, headAt: entries.at(-1)!.at }))
          .sort((a, b) => b.headAt - a.headAt || (a.conversation < b.conversation ? 1 : -1))
        const shown = (views: Awaited<ReturnType<Store["conversations"]>>) =>
          views.map(({ conversation, headAt }) => ({ conversation, headAt }))
        expect(shown(await other.conversations(user, undefined, 100))).toEqual(expected)
        for (const size of [1, 2, 3]) {
          const read: typeof expected = []
          for (;;) {
            const last = read.at(-1)
            const after = last && { at: last.headAt, id: last.conversation }
            const page = await other.conversations(user, after, size)
            if (page.length === 0) break
            read.push(...shown(page))
          }
          expect(read).toEqual(expected)
        }
        const [first] = await other.conversations(user, undefined, 1)
        expect(first).toMatchObject({ user, role: "MEMBER", since: 2, until: null, head: 5 })
        expect(await other.conversations("nobody", undefined, 10)).toEqual([])
      })

      test("starts anew for whoever joins again", async () => {
        const { conversation, log } = await group((log) =>
          log.changed("alice", { promoted: ["bob"] }),
        )
        await store.moveMarks(conversation, "bob", { delivered: 2, read: 1 })
        await store.append([log.changed("bob", { left: ["bob"] }), log.message("alice")])
        expect(await store.member(conversation, "bob")).toMatchObject({ since: 1, until: 3 })
        const back = log.changed("alice", { joined: ["bob"] })
        await store.append([back, log.message("alice")])
        expect(await other.member(conversation, "bob")).toEqual({
          ...{ conversation, user: "bob", role: "MEMBER", since: 5, joinedAt: back.at },
          ...{ until: null, delivered: 5, read: 5 },
        })
      })

      test("lists present members by user id, page by page", async () => {
        const { conversation } = await group((log) =>
          log.changed("alice", { joined: ["dave", "Zoe", "10", "9"], left: ["bob"] }),
        )
        const first = await store.members(conversation, "", 3)
        const rest = await store.members(conversation, first.at(-1)!.user, 10)
        expect([...first, ...rest].map(({ user }) => user)).toEqual(
          ["alice", "carol", "dave", "Zoe", "10", "9"].sort(),
        )
        expect(first).toHaveLength(3)
        expect(await store.countMembers(conversation)).toBe(6)
      })
    })

    describe("reading a log", () => {
      test("gives entries after a seq, oldest first, as many as are wanted", async () => {
        const { conversation, entries } = await group(
          (log) => log.message("alice"),
          (log) => log.message("bob"),
          (log) => log.message("carol"),
        )
        expect(await store.entries(conversation, 1, 2)).toEqual(entries.slice(1, 3))
        expect(await store.entries(conversation, 3, 100)).toEqual(entries.slice(3))
        expect(await store.entries(conversation, 4, 100)).toEqual([])
        expect(await store.entries(conversation, 400, 100)).toEqual([])
      })

      test("gives the oldest or the newest messages of a range, always ascending", async () => {
        const { conversation } = await group(
          (log) => log.message("alice", "2"),
          (log) => log.message("bob", "3"),
          (log) => log.changed("alice", { joined: ["dave"] }),
          (log) => log.message("alice", "5"),
          (log) => log.message("bob", "6"),
        )
        const texts = async (from: number, to: number, limit: number, order: "oldest" | "newest") =>
          (await store.messages(conversation, { from, to, limit, order })).map(({ text }) => text)
        expect(await texts(1, 100, 100, "oldest")).toEqual(["2", "3", "5", "6"])
        expect(await texts(1, Number.MAX_SAFE_INTEGER, 100, "newest")).toEqual(["2", "3", "5", "6"])
        expect(await texts(3, 5, 10, "oldest")).toEqual(["3", "5"])
        expect(await texts(1, 6, 3, "oldest")).toEqual(["2", "3", "5"])
        expect(await texts(1, 6, 3, "newest")).toEqual(["3", "5", "6"])
        expect(await texts(2, 5, 1, "newest")).toEqual(["5"])
        expect(await texts(4, 4, 10, "oldest")).toEqual([])
        expect(await texts(7, 6, 10, "newest")).toEqual([])
      })

      test("ends a page with the entry with which its texts exceed some bytes", async () => {
        const text = (letter: string) => letter.repeat(10_000)
        const { conversation, entries } = await group(
          ...Array.from(
            { length: 150 },
            (_, i) => (log: ReturnType<typeof createLog>) => log.message("bob", text(`${i % 10}`)),
          ),
        )
        const page = (after: number, limit: number, bytes: number) =>
          store.entries(conversation, after, limit, bytes)
        expect(await page(1, 1_000, 99_999)).toEqual(entries.slice(1, 11))
        expect(await page(1, 1_000, 100_000)).toEqual(entries.slice(1, 12))
        expect(await page(1, 5, 99_999)).toEqual(entries.slice(1, 6))
        expect(await page(1, 1_000, 1)).toEqual(entries.slice(1, 2))
        expect(await page(1, 1_000, 1_005_000)).toEqual(entries.slice(1, 102))
        expect(await page(1, 1_000, 1e9)).toEqual(entries.slice(1))
        expect(await page(151, 1_000, 1)).toEqual([])
        const range = { from: 1, to: 1_000, limit: 1_000, bytes: 99_999 }
        const messages = async (order: "oldest" | "newest", bytes: number) =>
          (await store.messages(conversation, { ...range, order, bytes })).map(({ seq }) => seq)
        const seqs = (from: number, to: number) =>
          Array.from({ length: to - from + 1 }, (_, i) => from + i)
        expect(await messages("oldest", 99_999)).toEqual(seqs(2, 11))
        expect(await messages("newest", 99_999)).toEqual(seqs(142, 151))
        expect(await messages("newest", 1_005_000)).toEqual(seqs(51, 151))
        expect(await messages("newest", 1)).toEqual([151])
      })

      test("ends a page of changes of members by the same measure as those who read it", async () => {
        const many = Array.from({ length: 100 }, (_, i) => `a user with an id of its own ${i}`)
        const few = Array.from({ length: 100 }, (_, i) => `${i}`)
        const { conversation, entries } = await group(
          ...[many, few, many, few].map(
            (joined) => (log: ReturnType<typeof createLog>) => log.changed("alice", { joined }),
          ),
        )
        const bytes = entries.slice(1, 4).reduce((sum, entry) => sum + textBytes(entry), 0)
        expect(await store.entries(conversation, 1, 100, bytes)).toEqual(entries.slice(1))
        expect(await store.entries(conversation, 1, 100, bytes - 1)).toEqual(entries.slice(1, 4))
      })

      test("finds the newest entry at or before a time", async () => {
        const { conversation, log, entries } = await group(
          (log) => log.message("alice"),
          (log) => log.message("bob"),
        )
        // Two of one moment: a clock that stands still, or has stepped back.
        const twin = { ...log.message("carol"), at: entries[2]!.at }
        await store.append([twin])
        const at = (time: number, floor = 0, upTo = 100) =>
          other.seqAt(conversation, time, floor, upTo)
        expect(await at(entries[0]!.at - 1)).toBe(0)
        expect(await at(entries[0]!.at)).toBe(1)
        expect(await at(entries[1]!.at + 1)).toBe(2)
        expect(await at(entries[2]!.at - 1)).toBe(2)
        expect(await at(entries[2]!.at)).toBe(4)
        expect(await at(entries[2]!.at, 0, 3)).toBe(3)
        expect(await at(entries[0]!.at, 2, 4)).toBe(2)
        expect(await other.seqAt("nowhere", 1, 7, 9)).toBe(7)
      })

      test("finds messages by id, as far as they exist", async () => {
        const one = await group((log) => log.message("alice", "one"))
        const two = await group((log) => log.message("bob", "two"))
        const ids = [one.entries[1]!, two.entries[1]!].map((entry) => "id" in entry && entry.id)
        const found = await other.messagesById([ids[0], messageId(), ids[1]] as string[])
        expect(found.map(({ text }) => text).sort()).toEqual(["one", "two"])
        expect(await other.messagesById([])).toEqual([])
      })

      test("counts messages and names their authors as scanning the log would", async () => {
        const by = fc.constantFrom("alice", "bob", "carol", undefined)
        await fc.assert(
          fc.asyncProperty(fc.array(by, { maxLength: 15 }), async (authors) => {
            const { conversation, entries } = await group(
              ...authors.map(
                (author) => (log: ReturnType<typeof createLog>) =>
                  author ? log.message(author) : log.changed("alice", {}),
              ),
            )
            for (let upTo = 0; upTo <= entries.length + 1; upTo++) {
              const messages = entries.filter(({ seq, kind }) => kind === "message" && seq <= upTo)
              for (const after of new Set([0, Math.min(1, upTo), upTo >> 1, upTo])) {
                const beyond = messages.filter(({ seq }) => seq > after)
                expect(await store.countMessages(conversation, after, upTo)).toBe(beyond.length)
                for (const user of ["alice", "bob", "nobody"]) {
                  const own = beyond.filter((message) => message.by === user).length
                  expect(await store.countMessages(conversation, after, upTo, user)).toBe(own)
                }
              }
              const recent = messages.filter(({ seq }) => seq > upTo - 3).map((entry) => entry.by)
              expect((await store.authors(conversation, upTo - 3, upTo)).sort()).toEqual(
                [...new Set(recent)].sort(),
              )
            }
          }),
          { numRuns: 20 },
        )
      })
    })

    describe("asked for many things at once", () => {
      const SIZES = [0, 2, 18, 120, 19, 20, 60, 1, 0, 3]
      const places: { conversation: string; entries: Entry[]; users: string[] }[] = []

      beforeAll(async () => {
        for (const [index, size] of SIZES.entries()) {
          const conversation = newConversation()
          const log = createLog(conversation)
          const others = Array.from(
            { length: size },
            (_, i) => `member-${String(i).padStart(3, "0")}`,
          )
          const entries: Entry[] = [log.founded("zoe", others)]
          for (let i = 0; i < index * 24; i++) {
            entries.push(log.message(i % 2 === 0 ? "zoe" : "alice", `${index}: ${i}`))
          }
          expect(await store.append(entries)).toBe(entries.length)
          places.push({ conversation, entries, users: [...others, "zoe"] })
        }
      })
      const of = <T>(ask: (place: (typeof places)[number]) => Promise<T>) =>
        Promise.all(places.map(ask))

      test("answers each as if it were alone", async () => {
        // Twice: an engine may have learnt what it had better ask for by itself.
        for (let i = 0; i < 2; i++) {
          expect(await of(({ conversation }) => store.countMembers(conversation))).toEqual(
            places.map(({ users }) => users.length),
          )
          const pages = await of(({ conversation }) => store.members(conversation, "", 20))
          expect(pages.map((page) => page.map(({ user }) => user))).toEqual(
            places.map(({ users }) => users.slice(0, 20)),
          )
          const later = await of(({ conversation }) => store.members(conversation, "member-017", 3))
          expect(later.map((page) => page.map(({ user }) => user))).toEqual(
            places.map(({ users }) => users.filter((user) => user > "member-017").slice(0, 3)),
          )
          const zoes = await of(({ conversation }) => store.member(conversation, "zoe"))
          expect(zoes.map((zoe) => [zoe?.conversation, zoe?.user, zoe?.role])).toEqual(
            places.map(({ conversation }) => [conversation, "zoe", "ADMIN"]),
          )
          expect(await of(({ conversation, entries }) => store.entry(conversation, entries.length))) //
            .toEqual(places.map(({ entries }) => entries.at(-1)))
          expect(await of(({ conversation }) => store.origin(conversation))).toEqual(
            places.map(({ entries: [first] }) => ({
              origin: { kind: "GROUP", title: "Friends" },
              createdAt: first!.at,
            })),
          )
          for (const by of ["zoe", undefined]) {
            const counts = await of(({ conversation }) =>
              store.countMessages(conversation, 2, 300, by),
            )
            expect(counts).toEqual(places.map(({ entries }) => count(entries, 2, 300, by)))
          }
        }
      })

      const count = (entries: Entry[], after: number, upTo: number, by: string | undefined) =>
        entries.filter((entry) => {
          const isMeant = entry.kind === "message" && (by === undefined || entry.by === by)
          return isMeant && entry.seq > after && entry.seq <= upTo
        }).length

      test("answers whoever asks for the same thing, and says what is not there", async () => {
        const [{ conversation, entries }] = places as [(typeof places)[number]]
        const asked = [store.entry(conversation, 1), store.entry(conversation, 1)]
        expect(await Promise.all([...asked, store.entry(conversation, 99)])).toEqual([
          entries[0],
          entries[0],
          undefined,
        ])
        const members = [store.member(conversation, "zoe"), store.member(conversation, "nobody")]
        expect((await Promise.all(members)).map((member) => member?.user)).toEqual([
          "zoe",
          undefined,
        ])
        expect(await Promise.all([store.origin("nowhere"), store.origin(conversation)])).toEqual([
          undefined,
          expect.objectContaining({ createdAt: entries[0]!.at }),
        ])
      })

      test("answers more than go into one question", async () => {
        const { conversation, entries } = places.at(-1)!
        const asked = Array.from({ length: 250 }, (_, index) => index)
        const found = await Promise.all(asked.map((seq) => store.entry(conversation, seq)))
        expect(found).toEqual(asked.map((seq) => entries[seq - 1]))
      })

      test("finds those furthest behind in small and in large groups", async () => {
        const move = (conversation: string, user: string) =>
          store.moveMarks(conversation, user, { read: 2 })
        await of(({ conversation, users: [, ...others] }) =>
          Promise.all(others.map((user) => move(conversation, user))),
        )
        const lowest = await of(({ conversation }) => store.lowestMarks(conversation))
        for (const [index, { read, delivered }] of lowest.entries()) {
          const { users } = places[index]!
          expect(read[0]).toEqual({ user: users[0]!, seq: 1 })
          expect(read.map(({ seq }) => seq)).toEqual(users.length > 1 ? [1, 2] : [1])
          expect(delivered.map(({ seq }) => seq)).toEqual(users.length > 1 ? [1, 1] : [1])
        }
      })
    })

    describe("watermarks", () => {
      test("move forward, each by itself, and never back", async () => {
        const { conversation } = await group((log) => log.message("alice"))
        const move = async (marks: { delivered?: number; read?: number }) => {
          const moved = await store.moveMarks(conversation, "bob", marks)
          return [moved!.before, moved!.now].map(({ delivered, read }) => [delivered, read])
        }
        const start = [1, 1]
        expect(await move({ delivered: 2 })).toEqual([start, [2, 1]])
        expect(await move({ read: 5, delivered: 1 })).toEqual([
          [2, 1],
          [2, 5],
        ])
        expect(await move({ read: 4 })).toEqual([
          [2, 5],
          [2, 5],
        ])
        expect(await move({})).toEqual([
          [2, 5],
          [2, 5],
        ])
        expect(await other.member(conversation, "bob")).toMatchObject({ delivered: 2, read: 5 })
        expect(await other.member(conversation, "carol")).toMatchObject({ delivered: 1, read: 1 })
      })

      test("end at the furthest of all that were moved at once", async () => {
        const { conversation } = await group()
        const seqs = Array.from({ length: 60 }, (_, i) => ((i * 37) % 60) + 2)
        const moved = await Promise.all(
          seqs.map((seq, i) =>
            [store, other][i % 2]!.moveMarks(conversation, "bob", { read: seq }),
          ),
        )
        expect((await store.member(conversation, "bob"))!.read).toBe(61)
        // Every step that was answered really happened: each begins where another ended.
        const steps = moved.filter((step) => step!.now.read > step!.before.read)
        const ends = new Set([1, ...steps.map((step) => step!.now.read)])
        for (const step of steps) expect(ends.has(step!.before.read)).toBe(true)
        expect(new Set(steps.map((step) => step!.before.read)).size).toBe(steps.length)
      })

      test("that are lowest are those of the two present members furthest behind", async () => {
        const { conversation, log } = await group((log) => log.message("alice"))
        await store.moveMarks(conversation, "alice", { delivered: 9, read: 3 })
        await store.moveMarks(conversation, "bob", { delivered: 5, read: 5 })
        await store.moveMarks(conversation, "carol", { delivered: 7, read: 1 })
        expect(await other.lowestMarks(conversation)).toEqual({
          delivered: [
            { user: "bob", seq: 5 },
            { user: "carol", seq: 7 },
          ],
          read: [
            { user: "carol", seq: 1 },
            { user: "alice", seq: 3 },
          ],
        })
        await store.append([log.changed("alice", { left: ["bob", "carol"] })])
        expect(await other.lowestMarks(conversation)).toEqual({
          delivered: [{ user: "alice", seq: 9 }],
          read: [{ user: "alice", seq: 3 }],
        })
      })
    })

    describe("the engine", () => {
      test("answers a ping", () => expect(store.ping()).resolves.toBeUndefined())

      test("has answered every write begun before, once it has settled", async () => {
        const { log } = await group()
        let answered = false
        void store.append([log.message("alice")]).then(() => {
          answered = true
        })
        await store.settle()
        await Promise.resolve()
        expect(answered).toBe(true)
      })

      test("has everything again when it is opened again, and refuses while it is closed", async () => {
        const { conversation, log, entries } = await group()
        const node = await place.open()
        const message = log.message("alice", "the last before the end")
        // Not awaited: what was begun before the end is answered, and what was answered is kept.
        const appended = node.append([message])
        await node[Symbol.asyncDispose]()
        expect(await appended).toBe(1)

        const refused = { code: "UNAVAILABLE" }
        await expect(node.append([log.message("alice")])).rejects.toMatchObject(refused)
        await expect(node.moveMarks(conversation, "alice", { read: 2 })).rejects.toMatchObject(
          refused,
        )
        await expect(node.state(conversation)).rejects.toMatchObject(refused)
        await expect(node.memberships("alice")).rejects.toMatchObject(refused)
        await expect(node.ping()).rejects.toMatchObject(refused)

        const again = await place.open()
        expect(await again.entries(conversation, 0, 10)).toEqual([...entries, message])
        await again[Symbol.asyncDispose]()
      })
    })
  })
}

function membersAfter(members: Set<string>, entry: Entry): Set<string> {
  if (entry.kind === "members") {
    for (const user of entry.joined) members.add(user)
    for (const user of entry.left) members.delete(user)
  }
  return members
}

/** `authored` is what a node happens to know; the rest of a state is the same wherever it comes from. */
const comparable = ({ authored: _, members, ...state }: ConversationState) => ({
  ...state,
  members: Object.fromEntries(members),
})
