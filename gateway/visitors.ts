import { timingSafeEqual } from "node:crypto"

/**
 * Says for which visitor the web app asks. A page is rendered in another process, whose questions to the gateway would
 * all come from its own address; what is counted by address must count for the visitor's. The gateway signs that address
 * when it sends a request on to the web app, and the web app hands it back unread.
 */
export interface Visitors {
  /** What to send to the web app in ADDRESS_HEADER. */
  sign(address: string): string
  /** The address in a header that this gateway or an equal one has signed; undefined for every other. */
  read(header: string | null): string | undefined
}

export const ADDRESS_HEADER = "x-parley-address"

/** @param secret what equal gateways share */
export function createVisitors(secret: string): Visitors {
  const seal = (address: string) =>
    new Bun.CryptoHasher("sha256", secret).update(`visitor ${address}`).digest("base64url")
  return {
    sign: (address) => `${address} ${seal(address)}`,
    read(header) {
      const [address = "", given = ""] = header?.split(" ") ?? []
      const expected = Buffer.from(seal(address))
      const bytes = Buffer.from(given)
      return bytes.length === expected.length && timingSafeEqual(bytes, expected)
        ? address
        : undefined
    },
  }
}
