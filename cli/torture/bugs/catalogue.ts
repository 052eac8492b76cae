import { ackBeforeWrite } from "./ack-before-write.ts"
import type { Bug } from "./bug.ts"
import { liveBeforeReplay } from "./live-before-replay.ts"
import { membershipAtSubscribe } from "./membership-at-subscribe.ts"
import { noDedupe } from "./no-dedupe.ts"
import { publishWithoutOutbox } from "./publish-without-outbox.ts"
import { watermarkWithoutMax } from "./watermark-without-max.ts"

/** All planted bugs. */
export const BUGS: readonly Bug[] = [
  ackBeforeWrite,
  publishWithoutOutbox,
  liveBeforeReplay,
  noDedupe,
  membershipAtSubscribe,
  watermarkWithoutMax,
]
