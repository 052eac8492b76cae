import { until } from "./testing.ts"
import "fake-indexeddb/auto"
import { afterEach, describe, expect, test } from "bun:test"
import type { Message, Pending } from "./model.ts"
import { type Outbox, type OutboxOptions, openOutbox, type SendResult } from "./outbox.ts"
import { type Device, type Letter, openDevice } from "./outbox-db.ts"

/** As the Web Locks do it: one at a time for each name, in the order of asking. */
function locks(): NonNullable<OutboxOptions["alone"]> {
  const tails = new Map<string, Promise<void>>()
  return (name, work) => {
    const next = (tails.get(name) ?? Promise.resolve()).then(work)
    tails.set(
      name,
      next.catch(() => {}),
    )
    return next
  }
}

let people = 0
const open: Outbox[] = []
afterEach(() => {
  for (const outbox of open.splice(0)) outbox.close()
})

/** A server that keeps what it gets, in a way the test decides; and one person's tabs. */
function scene(
  answer: (letter: Letter, attempt: number) => SendResult | undefined = () => undefined,
) {
  people += 1
  const user = `alice-${people}`
  const stored: Letter[] = []
  const attempts: string[] = []
  const alone = locks()
  const send = async (letter: Letter): Promise<SendResult> => {
    attempts.push(letter.text)
    const given = answer(letter, attempts.length)
    if (given) return given
    if (!stored.some(({ id }) => id === letter.id)) stored.push(letter)
    const seq = stored.findIndex(({ id }) => id === letter.id) + 1
    const { id, text } = letter
    const sentAt = "2026-01-01T00:00:00Z"
    return { is: "acknowledged", message: { id, text, seq, sender: user, sentAt } }
  }
  async function tab(device?: Device) {
    const shown: Pending[][] = []
    const acknowledged: Message[] = []
    const { outbox: db } = device ?? (await openDevice(user))
    const outbox = await openOutbox({
      user,
      db,
      send,
      show: (pending) => shown.push(pending),
      acknowledged: (_conversation, message) => acknowledged.push(message),
      wait: () => 5,
      alone,
    })
    open.push(outbox)
    const states = () => shown.at(-1)?.map(({ text, state }) => `${text}: ${state.is}`) ?? []
    return { outbox, db, states, acknowledged }
  }
  return { user, stored, attempts, tab }
}

const texts = (letters: readonly Letter[]) => letters.map(({ text }) => text)

describe("the outbox", () => {
  test("shows a message at once and keeps it until it is acknowledged", async () => {
    const { tab, stored } = scene()
    const { outbox, states, acknowledged, db } = await tab()
    const written = outbox.write("c1", "Hello")
    expect(states()).toEqual(["Hello: sending"])
    await written
    await until(() => acknowledged.length === 1)
    await until(() => states().join() === "Hello: sent")
    expect(texts(stored)).toEqual(["Hello"])
    expect(await db.all()).toEqual([])
  })

  test("is on disk before it is sent", async () => {
    let onDisk: Letter[] | undefined
    const { tab, user } = scene()
    const device = await openDevice(user)
    const { outbox, acknowledged } = await tab({
      ...device,
      outbox: {
        ...device.outbox,
        async all() {
          const all = await device.outbox.all()
          onDisk ??= all.length ? all : undefined
          return all
        },
      },
    })
    await outbox.write("c1", "Hello")
    await until(() => acknowledged.length === 1)
    expect(onDisk && texts(onDisk)).toEqual(["Hello"])
  })

  test("sends in the order of writing, whatever fails in between, and loses nothing", async () => {
    const { tab, stored } = scene((_letter, attempt) => (attempt % 3 ? { is: "later" } : undefined))
    const { outbox } = await tab()
    const all = ["1", "2", "3", "4", "5"]
    await Promise.all(all.map((text) => outbox.write("c1", text)))
    await until(() => stored.length === all.length)
    expect(texts(stored)).toEqual(all)
  })

  test("a conversation that is stuck holds up no other", async () => {
    const { tab, stored } = scene((letter) =>
      letter.conversation === "stuck" ? { is: "later" } : undefined,
    )
    const { outbox } = await tab()
    await outbox.write("stuck", "Never")
    await outbox.write("c1", "Hello")
    await until(() => stored.length === 1)
    expect(texts(stored)).toEqual(["Hello"])
  })

  test("what is refused stays, with the reason, and goes out by the same id when tried again", async () => {
    let refuse = true
    const { tab, stored } = scene(() =>
      refuse ? { is: "refused", code: "FORBIDDEN", message: "No." } : undefined,
    )
    const { outbox, states, db } = await tab()
    await outbox.write("c1", "Hello")
    await until(() => states().join() === "Hello: failed")
    const [letter] = await db.all()
    expect(letter?.refused).toBe("No.")
    refuse = false
    await outbox.retry(letter!.id)
    await until(() => stored.length === 1)
    expect(stored[0]?.id).toBe(letter!.id)
  })

  test("what is refused does not hold up what was written after it, and can be discarded", async () => {
    const { tab, stored } = scene(({ text }) =>
      text === "bad" ? { is: "refused", code: "BAD_INPUT", message: "No." } : undefined,
    )
    const { outbox, states, db } = await tab()
    await outbox.write("c1", "bad")
    await outbox.write("c1", "good")
    await until(() => stored.length === 1)
    expect(texts(stored)).toEqual(["good"])
    await outbox.discard((await db.all())[0]!.id)
    await until(() => !states().includes("bad: failed"))
    expect(await db.all()).toEqual([])
  })

  test("goes on after a crash with what was not acknowledged", async () => {
    const { tab, stored, user } = scene()
    const { outbox: db } = await openDevice(user)
    const letter = { conversation: "c1", createdAt: 1 }
    await db.put({ ...letter, id: "a", text: "first" })
    await db.put({ ...letter, id: "b", text: "second" })
    await tab()
    await until(() => stored.length === 2)
    expect(texts(stored)).toEqual(["first", "second"])
  })

  test("two tabs: one sends, both show it, nothing goes out twice", async () => {
    const { tab, stored, attempts } = scene()
    const one = await tab()
    const two = await tab()
    await Promise.all([one.outbox.write("c1", "from one"), two.outbox.write("c1", "from two")])
    await until(() => one.acknowledged.length === 2 && two.acknowledged.length === 2)
    expect(texts(stored).sort()).toEqual(["from one", "from two"])
    expect(attempts.length).toBe(2)
  })

  test("a message that was acknowledged into the void is sent again and stored once", async () => {
    let lost = true
    const { tab, stored, attempts } = scene((letter) => {
      if (!lost) return undefined
      lost = false
      stored.push(letter)
      return { is: "later" }
    })
    const { outbox, acknowledged } = await tab()
    await outbox.write("c1", "Hello")
    await until(() => acknowledged.length === 1)
    expect(attempts.length).toBe(2)
    expect(texts(stored)).toEqual(["Hello"])
  })

  test("a device without room says so instead of losing it", async () => {
    const { tab, user } = scene()
    const device = await openDevice(user)
    const put = () => Promise.reject(new DOMException("Full", "QuotaExceededError"))
    const { outbox, states } = await tab({ ...device, outbox: { ...device.outbox, put } })
    await outbox.write("c1", "Hello")
    expect(states()).toEqual(["Hello: failed"])
  })
})

describe("what the device keeps", () => {
  test("positions of left conversations survive; signing out erases everything", async () => {
    const device = await openDevice("bob")
    await device.keepLeftPosition("c9", 12)
    await device.outbox.put({ id: "a", conversation: "c1", text: "Hi", createdAt: 1 })
    const again = await openDevice("bob")
    expect(await again.leftPositions()).toEqual([{ conversation: "c9", seq: 12 }])
    await device.erase()
    expect(await again.leftPositions()).toEqual([])
    expect(await again.outbox.all()).toEqual([])
  })
})
