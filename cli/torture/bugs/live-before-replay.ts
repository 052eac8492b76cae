import type { Bug, Patch } from "./bug.ts"

const patch: Patch = {
  file: "chat/delivery/replay.ts",
  find: "const registered = await hub.register(subscription, () => work.turn())",
  replace:
    'const registered = await hub.register(subscription, () => work.turn())\n    subscription.phase = "live"',
}

/** The embedded store answers at once, so that nothing could come in between. */
const slowly: Patch = {
  file: "chat/delivery/replay.ts",
  find: "while (position < upTo && ",
  replace: "await Bun.sleep(5)\n  while (position < upTo && ",
}

export const liveBeforeReplay: Bug = {
  name: "live before replay",
  about: "A subscription hears what is new while its replay is still being sent.",
  patches: { embedded: [patch, slowly], cluster: [patch] },
  // Much to replay, while much is new.
  run: { minutes: 0.1, scale: { people: 8, groups: 2, absences: 800, absence: [500, 1_500] } },
  caughtBy: ["delivery"],
}
