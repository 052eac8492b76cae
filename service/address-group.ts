import { isIP } from "node:net"

/**
 * What an address limit counts by: an IPv4 address, or the /64 of an IPv6 address, since one subscriber has a whole /64.
 * An address that cannot be read shares one count with all such.
 */
export function addressGroup(address: string): string {
  return group(address, 4)
}

/**
 * The wider group of an IPv6 address, its /48: what one customer of a provider gets at most, 65,536 groups of /64. An
 * IPv4 address has none: undefined.
 */
export function wideAddressGroup(address: string): string | undefined {
  const wide = group(address, 3)
  return wide.includes(":") ? `${wide}::/48` : undefined
}

/** The first `length` groups of 16 bits of an IPv6 address; an IPv4 address as a whole. */
function group(address: string, length: number): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1]
  if (mapped) return mapped
  const version = isIP(address)
  if (version === 4) return address
  if (version !== 6) return "unknown"
  const [head = "", tail] = address.replace(/%.*$/, "").split("::")
  const before = head === "" ? [] : head.split(":")
  const after = tail ? tail.split(":") : []
  const zeros = Array.from({ length: Math.max(0, 8 - before.length - after.length) }, () => "0")
  const groups = tail === undefined ? before : [...before, ...zeros, ...after]
  return groups
    .slice(0, length)
    .map((part) => Number.parseInt(part, 16).toString(16))
    .join(":")
}
