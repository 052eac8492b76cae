import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { until } from "@parley/testing/until.ts"
import { type Parley, startParley } from "../testing/parley.ts"
import { PASSWORD, Person } from "../testing/person.ts"
import { Reading } from "../testing/reading.ts"
import { TOPOLOGIES } from "../testing/topologies.ts"

describe.each(TOPOLOGIES)("on %s", (topology) => {
  let parley: Parley
  let alice: Person
  let bob: Person

  beforeAll(async () => {
    parley = await startParley(topology)
    alice = await parley.person("Alice")
    bob = await parley.person("Bob")
  }, 120_000)

  afterAll(async () => {
    await parley?.[Symbol.asyncDispose]()
  })

  describe("two people", () => {
    test("talk: a message arrives with its sender's name, and the ticks come back", async () => {
      const chat = await alice.chatWith(bob)
      const [hers, his] = [alice.read(), bob.read()]
      await Promise.all([hers.ready(), his.ready()])

      const { id, seq } = await alice.deliver(chat, "Hello Bob")
      await until(() => his.messages(chat).includes("Hello Bob"), "Bob to hear Alice")
      expect(his.events.find(({ message }) => message)?.message?.sender).toEqual({
        id: alice.id,
        username: alice.username,
        name: "Alice",
      })

      await bob.get(
        "mutation($c: ID!, $s: Int!) { markRead(conversation: $c, seq: $s) { read } }",
        {
          c: chat,
          s: seq,
        },
      )
      const status = async () => {
        const { message } = await alice.get<{ message: { status: string } }>(
          "query($id: ID!) { message(id: $id) { status } }",
          { id },
        )
        return message.status
      }
      const isTold = () => hers.events.some(({ user, read }) => user?.id === bob.id && read === seq)
      // Receipts are not replayed: whoever was moved to another node meanwhile asks, as the web app does.
      const hasAsked = async () => hers.readies > 1 && (await status()) === "READ"
      await until(async () => isTold() || (await hasAsked()), "Alice to see that Bob has read it")
      expect(await status()).toBe("READ")
      await Promise.all([hers.stop(), his.stop()])
    })

    test("hear on every device of theirs, and on the device they write from", async () => {
      const chat = await alice.chatWith(bob)
      const phone = await alice.onAnotherDevice()
      const readings = [alice.read(), phone.read(), bob.read()]
      await Promise.all(readings.map((reading) => reading.ready()))
      await phone.deliver(chat, "from the phone")
      for (const reading of readings) {
        await until(() => reading.messages(chat).includes("from the phone"), "every device to hear")
        await reading.stop()
      }
    })

    test("a message sent five times at once is stored once", async () => {
      const chat = await alice.chatWith(bob)
      const id = Bun.randomUUIDv7()
      const answers = await Promise.all(
        Array.from({ length: 5 }, () => alice.send(chat, "only once", id)),
      )
      const seqs = new Set(answers.map(({ data }) => data?.sendMessage.seq))
      expect(seqs.size).toBe(1)
      const { conversation } = await bob.get<{ conversation: { log: { seq: number }[] } }>(
        "query($c: ID!, $a: Int!) { conversation(id: $c) { log(after: $a) { seq } } }",
        { c: chat, a: [...seqs][0]! - 1 },
      )
      expect(conversation.log).toHaveLength(1)
    })

    test("the same id with another text is refused with CONFLICT", async () => {
      const chat = await alice.chatWith(bob)
      const id = Bun.randomUUIDv7()
      expect((await alice.send(chat, "one text", id)).data?.sendMessage.id).toBe(id)
      expect((await alice.send(chat, "another", id)).errors?.[0]?.extensions.code).toBe("CONFLICT")
      expect((await bob.send(chat, "one text", id)).errors?.[0]?.extensions.code).toBe("CONFLICT")
    })

    test("resume without a gap after an interruption", async () => {
      const chat = await alice.chatWith(bob)
      const his = bob.read()
      await his.ready()
      his.interrupt()
      for (let i = 0; i < 20; i++) await alice.deliver(chat, `while he was away ${i}`)
      await until(() => his.messages(chat).includes("while he was away 19"), "Bob to catch up")
      const seqs = his.seqs(chat)
      expect(seqs).toEqual(seqs.map((_, index) => index + seqs[0]!))
      await his.stop()
    })
  })

  describe("a group", () => {
    test("shows its members what happens while they are members, and nothing else", async () => {
      const carol = await parley.person("Carol")
      const group = await alice.chatWith(bob, await parley.person("Dave"))
      await alice.deliver(group, "before Carol")
      const hers = carol.read()
      await hers.ready()

      const change = (field: string, variables: object) =>
        alice.get(
          `mutation($c: ID!, $u: ${field === "addMembers" ? "[ID!]" : "ID"}!) {
            ${field}(conversation: $c, ${field === "addMembers" ? "users" : "user"}: $u) { id }
          }`,
          variables,
        )
      await change("addMembers", { c: group, u: [carol.id] })
      await alice.deliver(group, "with Carol")
      await change("removeMember", { c: group, u: carol.id })
      await alice.deliver(group, "after Carol")
      await until(
        () => hers.events.some(({ left }) => left?.[0]?.id === carol.id),
        "Carol to leave",
      )

      // What comes to Carol after the last message in the group comes after anything that leaked of it.
      const other = await alice.chatWith(carol)
      await alice.deliver(other, "in private")
      await until(() => hers.messages(other).length > 0, "Carol to hear from Alice")
      expect(hers.messages(group)).toEqual(["with Carol"])
      expect(
        await carol.refusal("query($c: ID!) { conversation(id: $c) { id } }", { c: group }),
      ).toBe("NOT_FOUND")
      expect((await carol.send(group, "still here?")).errors?.[0]?.extensions.code).toBe(
        "NOT_FOUND",
      )
      await hers.stop()
    })

    test("someone else's conversation reads like one that does not exist", async () => {
      const eve = await parley.person("Eve")
      const chat = await alice.chatWith(bob)
      const query = "query($c: ID!) { conversation(id: $c) { id title } }"
      const theirs = await eve.ask(query, { c: chat })
      const nobodys = await eve.ask(query, { c: Bun.randomUUIDv7() })
      expect(theirs).toEqual(nobodys)
      expect(theirs.errors?.[0]?.extensions.code).toBe("NOT_FOUND")
    })
  })

  describe("an account that strangers guess at", () => {
    test("stays open to the devices that have signed in to it, and closes to others there", async () => {
      const carol = await parley.person("Carol")
      const signIn = "mutation($input: SignInInput!) { signIn(input: $input) { id } }"
      const input = { username: carol.username, password: PASSWORD }
      const strangers = parley.gateways.map((url) => new Person(url, carol.username))
      for (let i = 0; i < 12; i++) {
        const stranger = strangers[i % strangers.length]!
        await stranger.refusal(signIn, { input: { ...input, password: "a wrong guess" } })
      }
      for (const stranger of strangers) {
        expect(await stranger.refusal(signIn, { input })).toBe("RATE_LIMITED")
      }
      for (const url of parley.gateways) {
        expect(await carol.at(url).refusal(signIn, { input })).toBeUndefined()
      }
      const change = "mutation($c: String!, $n: String!) { changePassword(current: $c, new: $n) }"
      const next = "a new horse, a new battery"
      expect(await carol.refusal(change, { c: PASSWORD, n: next })).toBeUndefined()
    })

    test("knows a device by a cookie that no script reads and no token holds", async () => {
      const cookies = await alice.post(
        JSON.stringify({
          query: "mutation($input: SignInInput!) { signIn(input: $input) { id } }",
          variables: { input: { username: alice.username, password: PASSWORD } },
        }),
      )
      const lines = cookies.headers.getSetCookie()
      const device = lines.find((line) => line.startsWith("parley_device="))!
      expect(device).toContain("HttpOnly")
      expect(device).toContain("SameSite=Lax")
      expect(alice.token).not.toContain(alice.cookies.get("parley_device")!)
    })
  })

  describe("a session", () => {
    test("takes its live socket with it when it ends, at whichever gateway that is", async () => {
      const tablet = await bob.onAnotherDevice()
      const reading = new Reading(tablet.connect({ retry: false }))
      await reading.ready()
      const { sessions } = await tablet.get<{ sessions: { id: string; current: boolean }[] }>(
        "{ sessions { id current } }",
      )
      const id = sessions.find(({ current }) => current)?.id
      const elsewhere = parley.gateways.find((gateway) => gateway !== tablet.url) ?? tablet.url
      await bob.at(elsewhere).get("mutation($id: ID!) { revokeSession(id: $id) }", { id })
      await until(() => reading.closed.includes(4403), "the socket to close", 5_000)
      expect(await tablet.refusal("{ conversations { edges { node { id } } } }")).toBe(
        "UNAUTHENTICATED",
      )
      await reading.stop()
    })
  })
})
