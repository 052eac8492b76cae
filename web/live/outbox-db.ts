import { type DBSchema, openDB } from "idb"

/** A message that was written and is not acknowledged. */
export interface Letter {
  id: string
  conversation: string
  text: string
  /** Milliseconds since the epoch. */
  createdAt: number
  /** Why it was refused; absent while it is to be sent. */
  refused?: string
}

export interface OutboxDb {
  /** Resolves once it would survive the browser's end. Keeps the place in the queue of a letter that is there. */
  put(letter: Letter): Promise<void>
  remove(id: string): Promise<void>
  /** Oldest first. */
  all(): Promise<Letter[]>
}

interface Schema extends DBSchema {
  letters: { key: string; value: Letter & { order: number }; indexes: { order: number } }
  positions: { key: string; value: number }
}

const nameFor = (user: string) => `parley-${user}`

const open = (user: string) =>
  openDB<Schema>(nameFor(user), 1, {
    upgrade(db) {
      db.createObjectStore("letters", { keyPath: "id" }).createIndex("order", "order")
      db.createObjectStore("positions")
    },
  })

export interface Device {
  outbox: OutboxDb
  /** The position in conversations that the viewer has left: they are in no list, and must not be replayed. */
  leftPositions(): Promise<{ conversation: string; seq: number }[]>
  keepLeftPosition(conversation: string, seq: number): Promise<void>
  /** At sign-out: nothing of the person stays on the device. */
  erase(): Promise<void>
}

/** What the browser keeps for one person between two visits; nobody else's session ever opens it. */
export async function openDevice(user: string): Promise<Device> {
  const db = await open(user)
  const outbox: OutboxDb = {
    async put(letter) {
      const { store, done } = db.transaction("letters", "readwrite", { durability: "strict" })
      const known = await store.get(letter.id)
      const last = await store.index("order").openCursor(null, "prev")
      const order = known?.order ?? (last?.value.order ?? 0) + 1
      await store.put({ ...letter, order })
      await done
    },
    remove: (id) => db.delete("letters", id),
    async all() {
      const letters = await db.getAllFromIndex("letters", "order")
      return letters.map(({ order: _order, ...letter }) => letter)
    },
  }
  return {
    outbox,
    async leftPositions() {
      const [keys, seqs] = await Promise.all([db.getAllKeys("positions"), db.getAll("positions")])
      return keys.map((conversation, i) => ({ conversation, seq: seqs[i] ?? 0 }))
    },
    async keepLeftPosition(conversation, seq) {
      await db.put("positions", seq, conversation)
    },
    async erase() {
      await Promise.all([db.clear("letters"), db.clear("positions")])
      db.close()
    },
  }
}

/** For a browser that keeps nothing (some private windows): as good as it gets while the tab is open. */
export function memoryDevice(): Device {
  const letters = new Map<string, Letter>()
  return {
    outbox: {
      async put(letter) {
        letters.set(letter.id, letter)
      },
      async remove(id) {
        letters.delete(id)
      },
      all: async () => [...letters.values()],
    },
    leftPositions: async () => [],
    async keepLeftPosition() {},
    async erase() {
      letters.clear()
    },
  }
}
