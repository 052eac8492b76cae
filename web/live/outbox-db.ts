import { type DBSchema, deleteDB, openDB } from "idb"
import { DEVICE_WITHIN_MS } from "../limits.ts"
import { within } from "./within.ts"

/** A message that was written and is not acknowledged. */
export interface Letter {
  id: string
  conversation: string
  text: string
  /** Milliseconds since the epoch. */
  createdAt: number
  /** Why it was refused; absent while it is to be sent. */
  refused?: string | undefined
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
}

const PREFIX = "parley-"
const nameFor = (user: string) => `${PREFIX}${user}`

const open = (user: string) =>
  openDB<Schema>(nameFor(user), 1, {
    upgrade(db) {
      db.createObjectStore("letters", { keyPath: "id" }).createIndex("order", "order")
    },
    // Another tab signs out and deletes the database: it waits for this connection to end.
    blocking: (_current, _blocked, event) => (event.target as IDBDatabase).close(),
  })

export interface DeviceDb {
  outbox: OutboxDb
  /** At sign-out: nothing of the person stays on the device, the database itself included. */
  erase(): Promise<void>
  close(): void
}

/** What the browser keeps in IndexedDB for one person between two visits; no other person's session ever opens it. */
export async function openDeviceDb(user: string): Promise<DeviceDb> {
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
    async erase() {
      // First what is in it: the deletion waits for other tabs, and one that hangs must not keep the texts.
      await db.clear("letters")
      db.close()
      await within(deleteDB(nameFor(user)), DEVICE_WITHIN_MS / 2).catch(() => {})
    },
    close: () => db.close(),
  }
}

/** Erases what those persons have left here who have no session in this browser any more. */
export async function eraseDeviceDbs(of: (owner: string) => boolean): Promise<void> {
  // Firefox before 126 names none; there the databases of sessions that ended in this browser's absence stay, emptied
  // at the next sign-in of their person.
  const databases = (await indexedDB.databases?.()) ?? []
  const names = databases.flatMap(({ name }) =>
    name?.startsWith(PREFIX) && of(name.slice(PREFIX.length)) ? name : [],
  )
  await Promise.allSettled(names.map((name) => deleteDB(name)))
}
