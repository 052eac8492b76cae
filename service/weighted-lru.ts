import { LRUCache } from "lru-cache"

/** A map that forgets what was used least recently once its values weigh more than so many bytes together. */
export class WeightedLru<V extends object> {
  private readonly cache: LRUCache<string, V>

  /** @param weigh asked once, when the value is set: one that grows is set again, as another object. */
  constructor(bytes: number, weigh: (value: V) => number) {
    this.cache = new LRUCache({ maxSize: bytes, sizeCalculation: weigh })
  }

  get(key: string): V | undefined {
    return this.cache.get(key)
  }

  /** The value, without counting as a use of it. */
  peek(key: string): V | undefined {
    return this.cache.peek(key)
  }

  set(key: string, value: V): void {
    this.cache.set(key, value)
  }

  delete(key: string): void {
    this.cache.delete(key)
  }

  get size(): number {
    return this.cache.size
  }

  /** What the values weigh together, in bytes. */
  get bytes(): number {
    return this.cache.calculatedSize
  }
}
