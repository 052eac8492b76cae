import type { Attack } from "../attack.ts"
import { floodWith } from "../documents.ts"
import { nonce } from "../flood.ts"

const ATMOST = { atMost: 300, atOnce: 6 }

export const caches: Attack = {
  name: "caches",
  by: "stranger",
  with: "300 distinct documents of 160 to 240 KB, most of it comments",
  expected: "they are answered or refused, and nothing of them stays: caches weigh bytes",
  variants: [
    floodWith({
      name: "comments to auth",
      make: () => `{ me { id } } # ${nonce()}\n${"#\n".repeat(80_000)}`,
      ...ATMOST,
    }),
    floodWith({
      name: "comments in 60 KB",
      make: () => `{ me { id } } # ${nonce()}\n${"#\n".repeat(30_000)}`,
      ...ATMOST,
    }),
    floodWith({
      name: "comments to chat in 60 KB",
      make: () =>
        `{ conversations { edges { node { id } } } } # ${nonce()}\n${"#\n".repeat(30_000)}`,
      accounts: 1,
      ...ATMOST,
    }),
    floodWith({
      name: "one long comment",
      make: () => `{ me { id } } # ${nonce(230_000)}`,
      ...ATMOST,
    }),
    floodWith({
      name: "comments to chat",
      make: () =>
        `{ conversations { edges { node { id } } } } # ${nonce()}\n${"#\n".repeat(80_000)}`,
      accounts: 1,
      ...ATMOST,
    }),
    floodWith({
      name: "long aliases",
      make: () => `{ ${nonce(60_000)}: me { ${nonce(60_000)}: id } }`,
      ...ATMOST,
    }),
    floodWith({
      name: "many small documents",
      make: () => `{ ${nonce(24)}: me { id } }`,
      atMost: 4_000,
      atOnce: 16,
    }),
    floodWith({
      name: "long values",
      make: () => ({
        query: "query($u: String!) { user(username: $u) { id } }",
        variables: { u: nonce(200_000) },
      }),
      accounts: 1,
      ...ATMOST,
    }),
  ],
}
