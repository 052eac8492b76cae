import { isIP } from "node:net"

/**
 * What an address limit counts by: an IPv4 address, or the /64 of an IPv6 address, since whoever has one address of a
 * /64 has them all. An address that cannot be read shares one count with all such.
 */
export function addressGroup(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1]
  if (mapped) return mapped
  const version = isIP(address)
  if (version === 4) return address
  if (version !== 6) return "unknown"
  const [head = "", tail] = address.split("::")
  const before = head === "" ? [] : head.split(":")
  const after = tail ? tail.split(":") : []
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => "0")
  const groups = tail === undefined ? before : [...before, ...zeros, ...after]
  return groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(":")
}
