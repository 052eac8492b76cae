import DataLoader from "dataloader"

/**
 * Batches look-ups of single things: all of one turn of the event loop go out as one query, from any caller. Where the
 * query fails, all of them reject.
 * @param load finds things by their distinct keys; it may leave out those that do not exist
 * @param most keys that one query carries; unbounded when absent
 */
export function createBatch<K, V>(
  load: (asked: readonly K[]) => Promise<ReadonlyMap<string, V>>,
  keyOf: (asked: K) => string,
  most?: number,
): (asked: K) => Promise<V | undefined> {
  const loader = new DataLoader<K, V | undefined>(
    async (asked) => {
      const found = await load([...new Map(asked.map((one) => [keyOf(one), one])).values()])
      return asked.map((one) => found.get(keyOf(one)))
    },
    { cache: false, maxBatchSize: most },
  )
  return (asked) => loader.load(asked)
}
