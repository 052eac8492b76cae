import type { Bug } from "./bug.ts"

export const publishWithoutOutbox: Bug = {
  name: "publish without the outbox",
  about:
    "No node publishes what a dead node stored and had not published, and none looks for it in the store.",
  patches: {
    cluster: [
      {
        file: "chat/cluster/takeover.ts",
        find: "wants: (number) => !left.told.has(number),",
        replace: "wants: () => false,",
      },
      // While the bus is away, nodes read from the store what others have stored: that would make up for it.
      {
        file: "chat/cluster/lookout.ts",
        find: 'onRecord({ event: { kind: "entry", entry }, users: [] })',
        replace: "void entry",
      },
    ],
  },
  // In many conversations, so that few of them hear of anything later.
  run: { minutes: 0.05, last: { cluster: "broker frozen, chat killed" }, scale: { groups: 120 } },
  caughtBy: ["delivery"],
}
