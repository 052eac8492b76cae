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
  run: { minutes: 0.05, last: { cluster: "broker frozen, chat killed" } },
  caughtBy: ["delivery"],
}
