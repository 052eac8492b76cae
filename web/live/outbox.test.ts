import { aLocalStorage, until } from "./testing.ts"
import "fake-indexeddb/auto"
import { afterEach, beforeEach, describe, expect, jest, test } from "bun:test"
import { WRITE_AHEAD_CHARACTERS, WRITE_AHEAD_MESSAGES } from "../limits.ts"
import { createDevice } from "./device.ts"
import type { Message, Pending } from "./model.ts"
import { type Outbox, type OutboxOptions, openOutbox, type SendResult } from "./outbox.ts"
import { type DeviceDb, type Letter, openDeviceDb } from "./outbox-db.ts"
import { createWriteAhead } from "./write-ahead.ts"

beforeEach(() => {
  globalThis.localStorage = aLocalStorage()
})

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
const outboxes: Outbox[] = []
afterEach(() => {
  for (const outbox of outboxes.splice(0)) outbox.close()
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
  async function tab(given?: DeviceDb | Promise<DeviceDb> | (() => Promise<DeviceDb>)) {
    const shown: Pending[][] = []
    const acknowledged: Message[] = []
    const open = async () =>
      typeof given === "function" ? given() : given ? await given : openDeviceDb(user)
    const { outbox: db, erase } = createDevice(user, { open, withinMs: 40, restMs: 100 })
    const writeAhead = createWriteAhead(user)
    const outbox = openOutbox({
      user,
      db,
      writeAhead,
      send,
      show: (pending) => shown.push(pending),
      acknowledged: (_conversation, message) => acknowledged.push(message),
      wait: () => 5,
      alone,
    })
    outboxes.push(outbox)
    const states = () => shown.at(-1)?.map(({ text, state }) => `${text}: ${state.is}`) ?? []
    return { outbox, db, erase, writeAhead, shown, states, acknowledged }
  }
  /** Databases that a test can end under the tab. */
  const fresh = Object.assign(
    () => {
      const opened = openDeviceDb(user)
      fresh.opened.push(opened)
      return opened
    },
    { opened: [] as Promise<DeviceDb>[] },
  )
  return { user, stored, attempts, tab, fresh }
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
    const device = await openDeviceDb(user)
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
    const { outbox: db } = await openDeviceDb(user)
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

  test("a device without room says so instead of losing it; tried again it is sent all the same", async () => {
    const { tab, stored, user } = scene()
    const device = await openDeviceDb(user)
    const put = () => Promise.reject(new DOMException("Full", "QuotaExceededError"))
    const { outbox, states, shown } = await tab({ ...device, outbox: { ...device.outbox, put } })
    await outbox.write("c1", "Hello")
    expect(states()).toEqual(["Hello: failed"])
    expect(shown.at(-1)?.[0]?.state).toMatchObject({
      reason: "This device has no room to keep the message.",
    })
    await outbox.retry(shown.at(-1)![0]!.id)
    await until(() => stored.length === 1)
    await until(() => states().join() === "Hello: sent")
  })
})

describe("the outbox on a disk that does not work", () => {
  const never = new Promise<never>(() => {})
  const broken = () => Promise.reject(new DOMException("Broken", "UnknownError"))
  const faults: Record<string, (device: DeviceDb) => DeviceDb | Promise<DeviceDb>> = {
    "open hangs": () => never,
    "open fails": broken,
    "put hangs": (device) => ({ ...device, outbox: { ...device.outbox, put: () => never } }),
    "put fails": (device) => ({ ...device, outbox: { ...device.outbox, put: broken } }),
    "reading hangs": (device) => ({ ...device, outbox: { ...device.outbox, all: () => never } }),
    "reading fails": (device) => ({ ...device, outbox: { ...device.outbox, all: broken } }),
    "removing fails": (device) => ({ ...device, outbox: { ...device.outbox, remove: broken } }),
  }
  for (const [fault, broke] of Object.entries(faults)) {
    test(`${fault}: all is shown at once, sent once and in order`, async () => {
      const { tab, stored, attempts, user } = scene()
      const { outbox, states, acknowledged } = await tab(broke(await openDeviceDb(user)))
      const texts = ["1", "2", "3", "4"]
      for (const text of texts) void outbox.write("c1", text)
      expect(states()).toEqual(texts.map((text) => `${text}: sending`))
      await until(() => acknowledged.length === 4)
      expect(stored.map(({ text }) => text)).toEqual(texts)
      expect(attempts).toEqual(texts)
    })
  }

  test("a connection that was ended under the tab is opened anew", async () => {
    const { tab, stored, user, fresh } = scene()
    const { outbox, states } = await tab(fresh)
    await outbox.write("c1", "before")
    await until(() => stored.length === 1)
    for (const device of await Promise.all(fresh.opened)) device.close()
    await outbox.write("c1", "after")
    await until(() => stored.length === 2)
    expect(states()).not.toContain("after: failed")
    expect(await (await openDeviceDb(user)).outbox.all()).toEqual([])
  })
})

describe("what is written ahead", () => {
  test("holds the text before `write` returns, and until the disk has it", async () => {
    const { tab } = scene(() => ({ is: "later" }))
    const { outbox, writeAhead, db } = await tab()
    const written = outbox.write("c1", "Hello")
    expect(texts(writeAhead.all())).toEqual(["Hello"])
    await written
    expect(writeAhead.all()).toEqual([])
    expect(texts(await db.all())).toEqual(["Hello"])
  })

  test("is sent by the next tab after a kill: once, in order, by the same ids", async () => {
    const { tab, stored, user, attempts } = scene()
    const writeAhead = createWriteAhead(user)
    const letters = ["1", "2", "3"].map((text, i) => ({
      ...{ id: `id-${9 - i}`, conversation: "c1", text, createdAt: i + 1 },
    }))
    // The kill came after the first had reached the disk as well.
    await (await openDeviceDb(user)).outbox.put(letters[0]!)
    for (const letter of letters) writeAhead.keep(letter)
    const [one, two] = await Promise.all([tab(), tab()])
    void one.outbox.write("c1", "4")
    await until(() => stored.length === 4)
    expect(texts(stored)).toEqual(["1", "2", "3", "4"])
    expect(stored.slice(0, 3).map(({ id }) => id)).toEqual(letters.map(({ id }) => id))
    await until(() => two.acknowledged.length === 4)
    expect(new Set(attempts).size).toBe(4)
    expect(writeAhead.all()).toEqual([])
  })

  test("is bounded, and lets nothing of one person be seen by another", () => {
    const alice = createWriteAhead("alice")
    const letter = (id: number, text = "x") => ({
      ...{ id: `${id}`, conversation: "c1", text, createdAt: id },
    })
    for (let id = 0; id < WRITE_AHEAD_MESSAGES; id += 1) expect(alice.keep(letter(id))).toBe(true)
    expect(alice.keep(letter(999))).toBe(false)
    expect(createWriteAhead("bob").all()).toEqual([])
    alice.erase()
    expect(alice.all()).toEqual([])
    const again = createWriteAhead("alice")
    expect(again.keep(letter(0, "x".repeat(WRITE_AHEAD_CHARACTERS)))).toBe(false)
    globalThis.localStorage = aLocalStorage(10)
    expect(again.keep(letter(1))).toBe(false)
  })

  test("what is no letter is left alone", () => {
    localStorage.setItem("parley.unsent.alice.a", '{"id":1}')
    localStorage.setItem("parley.unsent.alice.b", "not JSON")
    expect(createWriteAhead("alice").all()).toEqual([])
  })
})

describe("a server that asks to stay away", () => {
  test("is not asked sooner, however much is written meanwhile", async () => {
    const afterMs = 150
    let first = 0
    const { tab, stored, attempts } = scene((_letter, attempt) => {
      if (attempt > 1) return undefined
      first = performance.now()
      return { is: "later", afterMs, limited: true }
    })
    const { outbox, states } = await tab()
    await outbox.write("c1", "1")
    await until(() => attempts.length === 1)
    for (const text of ["2", "3"]) await outbox.write("c1", text)
    expect(states()).toEqual(["1: sending", "2: sending", "3: sending"])
    await until(() => stored.length === 3)
    expect(performance.now() - first).toBeGreaterThanOrEqual(afterMs)
    expect(texts(stored)).toEqual(["1", "2", "3"])
  })
})

describe("what the device keeps", () => {
  test("is gone after signing out, the database too", async () => {
    const device = await openDeviceDb("bob")
    await device.outbox.put({ id: "a", conversation: "c1", text: "Hi", createdAt: 1 })
    await openDeviceDb("bob")
    await device.erase()
    expect((await indexedDB.databases()).map(({ name }) => name)).not.toContain("parley-bob")
    expect(await (await openDeviceDb("bob")).outbox.all()).toEqual([])
  })

  test("is not written again by what was on its way to it", async () => {
    const refused = { is: "refused", code: "FORBIDDEN", message: "No." } as const
    let answer = (_result: SendResult) => {}
    const { tab, user, attempts } = scene(
      () => new Promise((resolve) => (answer = resolve)) as never,
    )
    const { outbox, erase, writeAhead } = await tab()
    await outbox.write("c1", "1")
    await until(() => attempts.length === 1)
    const written = ["2", "3", "4"].map((text) => outbox.write("c1", text))
    await Promise.resolve()
    outbox.close()
    writeAhead.erase()
    const erased = erase()
    written.push(outbox.write("c1", "5"))
    await erased
    answer(refused)
    await Promise.all(written)
    expect(Object.keys(localStorage)).toEqual([])
    expect((await indexedDB.databases()).map(({ name }) => name)).not.toContain(`parley-${user}`)
  })
})

test("a disk that hangs is waited for 2 s, and left alone for 10 s", async () => {
  jest.useFakeTimers()
  try {
    let opened = 0
    const device = createDevice("alice", {
      open() {
        opened += 1
        return new Promise<DeviceDb>(() => {})
      },
    })
    const turn = async () => {
      for (let i = 0; i < 20; i++) await Promise.resolve()
    }
    const put = async (ms: number) => {
      let where: string | undefined
      void device.outbox.put({ id: "m" } as Letter).then((found) => {
        where = found
      })
      await turn()
      jest.advanceTimersByTime(ms)
      await turn()
      return where
    }
    expect(await put(1_999)).toBeUndefined()
    jest.advanceTimersByTime(1)
    await turn()
    expect([await put(0), opened]).toEqual(["memory", 1])
    jest.advanceTimersByTime(9_990)
    expect([await put(0), opened]).toEqual(["memory", 1])
    jest.advanceTimersByTime(10)
    expect([await put(2_000), opened]).toEqual(["memory", 2])
  } finally {
    jest.useRealTimers()
  }
})
