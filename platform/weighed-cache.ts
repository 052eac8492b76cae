import { LRUCache } from "lru-cache"

export interface WeighedCache<V extends object> {
  get(key: string): V | undefined
  /** The value, without counting as a use of it. */
  peek(key: string): V | undefined
  /** Keeps a value of about so many bytes, unless one entry may not be as large. */
  set(key: string, value: V, bytes: number): void
  delete(key: string): void
  /** About how many bytes are kept. */
  readonly bytes: number
}

/**
 * A cache that weighs what it keeps: it drops the least recently used entries once all of them come to more than
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

/** Bytes of the cache's own for one entry. */
const ENTRY_BYTES = 100
