import type { Bug, Patch } from "./bug.ts"

const patch: Patch = {
  file: "chat/delivery/feeds.ts",
  find: "for (const subscription of subscriptionsOf(user)) depart(feed, subscription, entry)",
  replace: "void user",
}

export const membershipAtSubscribe: Bug = {
  name: "membership checked only at subscribe",
  about: "A removed member goes on hearing until their subscription ends.",
  patches: { embedded: [patch], cluster: [patch] },
  run: { minutes: 0.05, scale: { changeEvery: 1_000 } },
  quick: true,
  caughtBy: ["privacy"],
}
