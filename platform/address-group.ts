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

/** The first `length` groups of 16 bits of an IPv6 address; an IPv4 address as a whole, also where it is mapped into IPv6. */
function group(address: string, length: number): string {
  const version = isIP(address)
  if (version === 4) return address
  if (version !== 6) return "unknown"
  const mapped = MAPPED.exec(address)?.[1]
  if (mapped) return mapped
  const groups = groupsOf(address)
  if (groups.slice(0, 6).join(":") === "0:0:0:0:0:65535") {
    return groups.slice(6).flatMap(bytesOf).join(".")
  }
  return groups
    .slice(0, length)
    .map((group) => group.toString(16))
    .join(":")
}

/** An IPv4 address as most systems write it where a socket takes both kinds. */
const MAPPED = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i

/** The eight groups of an IPv6 address in any of its spellings (RFC 4291, 2.2). */
function groupsOf(address: string): number[] {
  const [head = [], tail] = address.replace(/%.*$/, "").split("::").map(numbersOf)
  if (tail === undefined) return head
  return [...head, ...Array<number>(Math.max(0, 8 - head.length - tail.length)).fill(0), ...tail]
}

/** The groups of a part of it; four decimal numbers at its end are two groups. */
function numbersOf(part: string): number[] {
  if (part === "") return []
  return part.split(":").flatMap((text) => {
    if (!text.includes(".")) return Number.parseInt(text, 16)
    const [a = 0, b = 0, c = 0, d = 0] = text.split(".").map(Number)
    return [a * 256 + b, c * 256 + d]
  })
}

const bytesOf = (group: number) => [group >> 8, group & 255]
