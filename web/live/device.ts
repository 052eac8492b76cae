import { DEVICE_REST_MS, DEVICE_WITHIN_MS } from "../limits.ts"
import { type DeviceDb, type Letter, openDeviceDb } from "./outbox-db.ts"
import { within } from "./within.ts"

export interface DeviceOutbox {
  /**
   * Resolves to where the letter is: on the disk, or in the memory of this tab because the disk does not answer.
   * @throws QuotaExceededError where the disk is full.
   */
  put(letter: Letter): Promise<"disk" | "memory">
  /** Takes it into the memory of this tab. */
  hold(letter: Letter): void
  remove(id: string): Promise<void>
  /** Oldest first: what is on the disk, as far as that is known, and what this tab holds. */
  all(): Promise<Letter[]>
}

export interface Device {
  outbox: DeviceOutbox
  /** At sign-out: nothing of the person stays on the disk, and what is still put goes into the memory of this tab only. */
  erase(): Promise<void>
}

export interface DeviceOptions {
  open?: (user: string) => Promise<DeviceDb>
  /** How long an answer may take, in ms. */
  withinMs?: number
  /** How long the disk is left alone after it has failed, in ms. */
  restMs?: number
}

/**
 * What the browser keeps for one person, though IndexedDB hangs, fails or was cleared under the tab: no call takes
 * longer than `withinMs`, and what the disk does not take is held in memory, and sent from there.
 */
export function createDevice(user: string, options: DeviceOptions = {}): Device {
  const { open = openDeviceDb, withinMs = DEVICE_WITHIN_MS, restMs = DEVICE_REST_MS } = options
  const held = new Map<string, Letter>()
  /** Sent or discarded while the disk could not be told. */
  const gone = new Set<string>()
  let lastSeen: Letter[] = []
  let opened: Promise<DeviceDb> | undefined
  let restUntil = 0
  let erased = false

  /** @throws what the disk throws, TimeoutError included; at once while it is left alone. */
  async function onDisk<T>(work: (db: DeviceDb) => Promise<T>): Promise<T> {
    if (erased) throw new Error("The disk has been erased.")
    if (performance.now() < restUntil) throw new Error("The disk has failed just now.")
    const before = opened
    try {
      return await attempt(work)
    } catch (error) {
      if (isFull(error)) throw error
      // A connection that the browser has ended, as it does when it clears the site's data, is opened anew.
      if (before && !isLate(error) && !erased) return await attempt(work).catch(giveUp)
      return giveUp(error)
    }
  }

  async function attempt<T>(work: (db: DeviceDb) => Promise<T>): Promise<T> {
    opened ??= open(user)
    const current = opened
    try {
      return await within(current.then(work), withinMs)
    } catch (error) {
      if (!isFull(error) && opened === current) {
        opened = undefined
        current.then((db) => db.close()).catch(() => {})
      }
      throw error
    }
  }

  function giveUp(error: unknown): never {
    restUntil = performance.now() + restMs
    throw error
  }

  return {
    outbox: {
      async put(letter) {
        try {
          await onDisk((db) => db.outbox.put(letter))
          held.delete(letter.id)
          gone.delete(letter.id)
          // So that it is found, and sent, should the disk fail before it is read again.
          const place = lastSeen.findIndex(({ id }) => id === letter.id)
          lastSeen = lastSeen.toSpliced(place < 0 ? lastSeen.length : place, 1, letter)
          return "disk"
        } catch (error) {
          if (isFull(error)) throw error
          held.set(letter.id, letter)
          return "memory"
        }
      },
      hold: (letter) => void held.set(letter.id, letter),
      async remove(id) {
        held.delete(id)
        gone.add(id)
        try {
          const all = [...gone]
          await onDisk((db) => Promise.all(all.map((id) => db.outbox.remove(id))))
          for (const id of all) gone.delete(id)
          lastSeen = lastSeen.filter((letter) => letter.id !== id)
        } catch {
          // `gone` keeps it from being sent again by this tab; by another one it is sent by the same id.
        }
      },
      async all() {
        lastSeen = await onDisk((db) => db.outbox.all()).catch(() => lastSeen)
        const kept = lastSeen.filter(({ id }) => !held.has(id) && !gone.has(id))
        if (held.size === 0) return kept
        return [...kept, ...held.values()].sort((a, b) => a.createdAt - b.createdAt)
      },
    },
    async erase() {
      erased = true
      held.clear()
      lastSeen = []
      const work = (db: DeviceDb) => db.erase()
      await attempt(work).catch((error) => {
        if (isLate(error)) throw error
        return attempt(work)
      })
    },
  }
}

const named = (error: unknown, name: string) => error instanceof DOMException && error.name === name
const isLate = (error: unknown) => named(error, "TimeoutError")

/** Whether the disk has no room. Newer browsers have a class for it, older ones a name. */
export const isFull = (error: unknown): boolean =>
  named(error, "QuotaExceededError") ||
  (error instanceof Error && error.name === "QuotaExceededError")
