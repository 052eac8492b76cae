import { LRUCache } from "lru-cache"

export interface WeighedCache<V extends object> {
  get(key: string): V | undefined
  /** The value, without counting as a use of it. */
  peek(key: string): V | undefined
  /** Keeps a value that comes to about so many bytes, or does not where one entry may not be as large. */
  set(key: string, value: V, bytes: number): void
  delete(key: string): void
  /** About how many bytes are kept. */
  readonly bytes: number
}

/**
 * A cache that weighs what it keeps: it forgets what was used least recently once all of it comes to more than
 * `maxBytes`. Its keys are weighed too, as strings of two bytes a character.
 */
export function createWeighedCache<V extends object>(limits: {
  maxBytes: number
  maxEntryBytes: number
}): WeighedCache<V> {
  const cache = new LRUCache<string, V>({
    maxSize: limits.maxBytes,
    maxEntrySize: limits.maxEntryBytes,
  })
  return {
    get: (key) => cache.get(key),
    peek: (key) => cache.peek(key),
    set(key, value, bytes) {
      cache.set(key, value, { size: Math.ceil(bytes) + 2 * key.length + ENTRY_BYTES })
    },
    delete(key) {
      cache.delete(key)
    },
    get bytes() {
      return cache.calculatedSize
    },
  }
}

/** What the cache itself needs for one entry. */
const ENTRY_BYTES = 100
