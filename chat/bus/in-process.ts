import { type Bus, type BusRecord, toRecords } from "./bus.ts"

const PARTITIONS = 64

export interface InProcessExchange {
  /** Another node's end of the bus. */
  join(): Bus
}

/**
 * The embedded engine: nodes in one process, joined by calls. With a single node there is no other to tell, and
 * publishing costs nothing; with several it keeps the promises of the port, order and partitions included.
 */
export function createInProcessExchange(): InProcessExchange {
  const nodes = new Set<{ held: Set<number>; receive(record: BusRecord): void }>()

  return {
    join() {
      let handler: (record: BusRecord) => void = () => {}
      let received = 0
      const self = {
        held: new Set<number>(),
        receive(record: BusRecord) {
          received += 1
          handler(record)
        },
      }
      nodes.add(self)
      return {
        partitions: PARTITIONS,
        publish(event, users) {
          if (nodes.size === 1) return undefined
          const records = toRecords(event, users(), PARTITIONS)
          for (const node of nodes) {
            if (node === self) continue
            for (const [partition, record] of records) {
              // Like a network, and unlike a call: the receiver runs later, and may have gone by then.
              if (node.held.has(partition)) {
                queueMicrotask(() => nodes.has(node) && node.receive(record))
              }
            }
          }
          return Promise.resolve()
        },
        async hold(partition) {
          self.held.add(partition)
        },
        release: (partition) => void self.held.delete(partition),
        onRecord(given) {
          handler = given
        },
        // A call reaches all nodes or none: no node ever misses one.
        onGap() {},
        state: () => ({ hears: true, speaks: true }),
        async ping() {},
        stats: () => ({
          ...{ held: self.held.size, waiting: 0, waitingBytes: 0, lag: 0 },
          ...{ received, setAside: 0, gaps: 0, joins: 1, absences: 0, found: 0 },
        }),
        async [Symbol.asyncDispose]() {
          nodes.delete(self)
        },
      }
    },
  }
}
