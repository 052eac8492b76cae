import type { NodeRecord, Nodes, NumberedEntry } from "../store/nodes.ts"
import type { Store } from "../store/store.ts"

/** Makes a store one that nodes share: with a registry, and positions, in memory. */
export function shareStore(
  store: Store,
): Store & { nodes: Nodes; records: Map<string, NodeRecord> } {
  const records = new Map<string, NodeRecord>()
  const stored = new Map<string, NumberedEntry[]>()
  const nodes: Nodes = {
    async put(record) {
      const known = records.get(record.id)
      if (known?.heir) return false
      records.set(record.id, { ...record, heir: null })
      return true
    },
    all: async () => [...records.values()].map((record) => ({ ...record })),
    async inherit(seen, heir) {
      const record = records.get(seen.id)
      if (!record || record.beat !== seen.beat || record.heir !== seen.heir) return false
      record.heir = heir
      return true
    },
    async announce(id, upTo) {
      const record = records.get(id)
      if (record) record.announced = Math.max(record.announced, upTo)
    },
    forget: async (id) => void records.delete(id),
    storedBy: async (id, after, limit, also = []) =>
      (stored.get(id) ?? [])
        .filter(({ number }) => number > after || also.includes(number))
        .sort((a, b) => a.number - b.number)
        .slice(0, limit),
    newestOf: async (id) =>
      (stored.get(id) ?? []).reduce((newest, { number }) => Math.max(newest, number), 0),
  }
  return {
    ...store,
    nodes,
    records,
    async append(entries, position) {
      const count = await store.append(entries, position)
      if (!position) return count
      const mine = stored.get(position.node) ?? []
      stored.set(position.node, mine)
      for (let i = 0; i < count; i++) mine.push({ number: position.number + i, entry: entries[i]! })
      return count
    },
  }
}
