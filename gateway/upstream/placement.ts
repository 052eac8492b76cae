import { murmur2 } from "@parley/platform/partition.ts"

/**
 * Rendezvous hashing (highest random weight; Thaler and Ravishankar, "Using Name-Based Mappings to Increase Hit Rates",
 * IEEE/ACM Transactions on Networking 6(1), 1998): each node has a weight for each partition, and a partition is with
 * the heaviest of the nodes that may have it. So every gateway finds the same node without asking, a node that
 * is added takes its share from all others and moves nothing else, and one that is gone leaves its share to all others.
 * A node goes by its URL: one that starts anew gets back what it had.
 */
export function weightsOf(url: string, partitions: number): Uint32Array {
  return Uint32Array.from({ length: partitions }, (_, partition) =>
    murmur2(Buffer.from(`${partition} ${url}`)),
  )
}

export interface Weighted {
  url: string
  /** One for each partition. */
  weights: Uint32Array
}

/** The node with which a partition is, among those that `may` have it; undefined where none may. */
export function heaviest<N extends Weighted>(
  nodes: readonly N[],
  partition: number,
  may: (node: N) => boolean,
): N | undefined {
  let found: N | undefined
  for (const node of nodes) {
    if (may(node) && (!found || isHeavier(node, found, partition))) found = node
  }
  return found
}

function isHeavier(a: Weighted, b: Weighted, partition: number): boolean {
  const difference = a.weights[partition]! - b.weights[partition]!
  // Weights may be equal, and every gateway must come to the same end.
  return difference === 0 ? a.url < b.url : difference > 0
}
