interface Batch<T> {
  ids: string[]
  found: Promise<Map<string, T>>
}

/** Joins all look-ups of one tick to one call of `load`, which may leave out what does not exist. */
export function createBatch<T extends { id: string }>(
  load: (ids: readonly string[]) => Promise<T[]>,
): (id: string) => Promise<T | undefined> {
  let open: Batch<T> | undefined

  function begin(): Batch<T> {
    const ids: string[] = []
    const found = Promise.resolve().then(async () => {
      open = undefined
      const items = await load([...new Set(ids)])
      return new Map(items.map((item) => [item.id, item]))
    })
    return { ids, found }
  }

  return async (id) => {
    open ??= begin()
    open.ids.push(id)
    const { found } = open
    return (await found).get(id)
  }
}
