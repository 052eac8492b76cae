/** A digest of values, one after the other, that does not depend on the order of their properties. */
export interface Digest {
  add(value: unknown): void
  text(): string
}

export function createDigest(): Digest {
  const hash = new Bun.CryptoHasher("sha256")
  return {
    add: (value) => void hash.update(`${JSON.stringify(value, inOrder)}\n`),
    text: () => hash.digest("hex"),
  }
}

/** The digest of one value. */
export function digest(value: unknown): string {
  const all = createDigest()
  all.add(value)
  return all.text()
}

function inOrder(_key: string, value: unknown): unknown {
  if (value instanceof Map) return [...value].toSorted(byKey)
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).toSorted(byKey))
}

const byKey = ([a]: [string, unknown], [b]: [string, unknown]) => (a < b ? -1 : 1)
