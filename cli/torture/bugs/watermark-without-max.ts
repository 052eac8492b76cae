import type { Bug } from "./bug.ts"

export const watermarkWithoutMax: Bug = {
  name: "watermark without $max",
  about: "A watermark is set to where it is asked to be, forward or back.",
  patches: {
    embedded: [
      {
        file: "chat/store/sqlite/sqlite.ts",
        find: "delivered: Math.max(before.delivered, marks.delivered ?? 0),",
        replace: "delivered: marks.delivered ?? before.delivered,",
      },
      {
        file: "chat/store/sqlite/sqlite.ts",
        find: "if (now.delivered > before.delivered || now.read > before.read) {",
        replace: "if (now.delivered !== before.delivered || now.read > before.read) {",
      },
    ],
    cluster: [
      {
        file: "chat/store/mongo/mongo.ts",
        find: "{ $max: { delivered, read } },",
        replace: "{ $set: { delivered, read } },",
      },
    ],
  },
  run: { minutes: 0.08 },
  quick: true,
  caughtBy: ["watermarks"],
}
