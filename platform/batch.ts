import DataLoader from "dataloader"

/**
 * A look-up of one thing that shares its question with all others of the same turn of the event loop, whoever asks.
 * Where the question fails, all of them do.
 * @param load what is asked for, each by its key; it may leave out what does not exist. Nothing is asked for twice.
 * @param most things that one question carries; any number where nothing is said.
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
