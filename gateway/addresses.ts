import { BlockList, isIP } from "node:net"
import * as v from "valibot"

/** Addresses and networks (CIDR, RFC 4632), separated by commas. */
export const networks = v.pipe(
  v.string(),
  v.rawTransform(({ dataset, addIssue, NEVER }) => {
    const list = new BlockList()
    for (const one of dataset.value.split(",")) {
      if (add(list, one.trim())) continue
      addIssue({
        message: "it must be addresses and networks such as 10.0.0.7,192.168.0.0/16,fd00::/8",
      })
      return NEVER
    }
    return list
  }),
)

function add(list: BlockList, network: string): boolean {
  const [address = "", prefix] = network.split("/")
  const version = isIP(address)
  if (version === 0) return false
  const family = version === 4 ? "ipv4" : "ipv6"
  if (prefix === undefined) list.addAddress(address, family)
  else {
    const isPrefix = /^\d{1,3}$/.test(prefix) && Number(prefix) <= (version === 4 ? 32 : 128)
    if (!isPrefix || network.split("/").length > 2) return false
    list.addSubnet(address, Number(prefix), family)
  }
  return true
}

/**
 * The address of the client that asks: the peer's, or, where that is a proxy of ours, the one for which it asks. What a client
 * itself says in `x-forwarded-for` is its own invention: each proxy appends whom it heard, so the list is read from its
 * end, for as long as those who say it are trusted.
 */
export function clientAddress(
  peer: string,
  forwardedFor: string | null,
  trusted: BlockList | undefined,
): string {
  let address = peer
  if (!trusted || !forwardedFor) return address
  const hops = forwardedFor.split(",")
  while (hops.length > 0 && isTrusted(address, trusted)) {
    const said = bare(hops.pop()!.trim())
    if (isIP(said) === 0) return address
    address = said
  }
  return address
}

function isTrusted(address: string, trusted: BlockList): boolean {
  const version = isIP(address)
  return version !== 0 && trusted.check(address, version === 4 ? "ipv4" : "ipv6")
}

/** Some proxies say the port as well. */
const bare = (hop: string) =>
  /^\[(.+)\](?::\d+)?$/.exec(hop)?.[1] ?? /^([\d.]+):\d+$/.exec(hop)?.[1] ?? hop
