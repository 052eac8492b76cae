import type { Bug, Patch } from "./bug.ts"

const patch: Patch = {
  file: "chat/domain/appender.ts",
  find: "return await store.append(entries, position)",
  replace: "store.append(entries, position).catch(() => {})\n      return entries.length",
}

export const ackBeforeWrite: Bug = {
  name: "ack before the write",
  about: "A message is acknowledged when its write has begun, not when it is done.",
  patches: { embedded: [patch], cluster: [patch] },
  run: { minutes: 0.05, last: { embedded: "disk full", cluster: "store down" } },
  caughtBy: ["durable"],
}
