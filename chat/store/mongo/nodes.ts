import { isDuplicate, type Mongo, twice } from "@parley/platform/mongo.ts"
import type { NodeRecord, Nodes } from "../nodes.ts"
import { type EntryDocument, entryOf, type NodeDocument } from "./shapes.ts"

/** The collection `nodes`, and the positions in `entries`. */
export function mongoNodes(mongo: Mongo): Nodes {
  const nodes = mongo.collection<NodeDocument>("nodes")
  const entries = mongo.collection<EntryDocument>("entries")

  const run = <T>(step: (again: boolean) => Promise<T>) => mongo.run(() => twice(step))
  const recordOf = ({ _id: id, ...record }: NodeDocument): NodeRecord => ({ id, ...record })

  return {
    put: ({ id, url, beat, draining, announced, mute = false }) =>
      run(async () => {
        try {
          await nodes.updateOne(
            { _id: id, heir: null },
            { $set: { url, beat, draining, mute }, $max: { announced } },
            { upsert: true },
          )
          return true
        } catch (error) {
          // There is one, and not without an heir.
          if (isDuplicate(error)) return false
          throw error
        }
      }),

    all: () => run(async () => (await nodes.find().toArray()).map(recordOf)),

    inherit: ({ id, beat, heir: before }, heir) =>
      run(async (again) => {
        const seen = { _id: id, beat, heir: again ? { $in: [before, heir] } : before }
        return (await nodes.updateOne(seen, { $set: { heir } })).matchedCount > 0
      }),

    announce: (id, upTo) =>
      run(async () => {
        await nodes.updateOne({ _id: id }, { $max: { announced: upTo } })
      }),

    forget: (id) =>
      run(async () => {
        await nodes.deleteOne({ _id: id })
      }),

    storedBy: (id, after, limit, also = []) =>
      run(async () => {
        if (limit <= 0) return []
        const find = (number: { $gt: number } | { $in: number[] }) =>
          entries.find({ node: id, number }).sort({ number: 1 }).limit(limit).batchSize(limit)
        // Two plain queries: each walks the index alone, whatever a planner makes of `$or`.
        const [late, later] = await Promise.all([
          also.length > 0 ? find({ $in: [...also] }).toArray() : [],
          find({ $gt: after }).toArray(),
        ])
        return [...late, ...later].slice(0, limit).map((document) => ({
          number: document.number!,
          entry: entryOf(document),
        }))
      }),

    newestOf: (id) =>
      run(async () => {
        const found = entries.find({ node: id }).sort({ number: -1 }).limit(1)
        const [newest] = await found.project<{ number: number }>({ _id: 0, number: 1 }).toArray()
        return newest?.number ?? 0
      }),
  }
}
