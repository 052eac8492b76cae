import type { Attack } from "./attack.ts"
import { bodies } from "./attacks/bodies.ts"
import { bytes } from "./attacks/bytes.ts"
import { caches } from "./attacks/caches.ts"
import { floods } from "./attacks/floods.ts"
import { fragments } from "./attacks/fragments.ts"
import { groups, strangers } from "./attacks/groups.ts"
import { hashing } from "./attacks/hashing.ts"
import { items } from "./attacks/items.ts"
import { lockout } from "./attacks/lockout.ts"
import { names } from "./attacks/names.ts"
import { planner } from "./attacks/planner.ts"
import { probes } from "./attacks/probes.ts"
import { queries } from "./attacks/queries.ts"
import { refresh } from "./attacks/refresh.ts"
import { replaying } from "./attacks/replays.ts"
import { sockets } from "./attacks/sockets.ts"
import { subscriptions } from "./attacks/subscriptions.ts"
import { tokens } from "./attacks/tokens.ts"
import { validation } from "./attacks/validation.ts"

/** All classes, in the order of the table in docs/security.md. */
export const ATTACKS: readonly Attack[] = [
  fragments,
  validation,
  planner,
  caches,
  items,
  bytes,
  replaying,
  subscriptions,
  queries,
  groups,
  strangers,
  floods,
  lockout,
  hashing,
  tokens,
  refresh,
  names,
  bodies,
  probes,
  sockets,
]
