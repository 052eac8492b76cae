import type { Bug } from "./bug.ts"

export const noDedupe: Bug = {
  name: "no dedupe",
  about: "The store takes a message's id as often as it is sent.",
  patches: {
    embedded: [
      {
        file: "chat/store/sqlite/schema.ts",
        find: "CREATE UNIQUE INDEX entries_by_id",
        replace: "CREATE INDEX entries_by_id",
      },
    ],
    cluster: [
      {
        file: "chat/store/mongo/shapes.ts",
        find: "return { _id: id, ...rest, ...place } as EntryDocument",
        replace:
          'return { _id: entry.seq % 2 ? id : id + " ", ...rest, ...place } as EntryDocument',
      },
      {
        file: "chat/store/mongo/shapes.ts",
        find: "{ ...entry, id: _id }",
        replace: "{ ...entry, id: _id.trim() }",
      },
    ],
  },
  run: { minutes: 0.05 },
  quick: true,
  caughtBy: ["durable", "identity"],
}
