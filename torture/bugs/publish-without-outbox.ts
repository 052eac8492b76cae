import type { Bug } from "./bug.ts"

export const publishWithoutOutbox: Bug = {
  name: "publish without the outbox",
  about: "What a dead node stored and had not published yet is published by nobody.",
  patches: {
    cluster: [
      {
        file: "chat/cluster/heir.ts",
        find: "wants: (number) => !estate.told.has(number),",
        replace: "wants: () => false,",
      },
    ],
  },
  // In many conversations, so that few of them hear of anything later.
  run: { minutes: 0.05, last: { cluster: "broker frozen, chat killed" }, scale: { groups: 120 } },
  caughtBy: ["delivery"],
}
