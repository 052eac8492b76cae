import type { Evidence } from "./evidence.ts"
import { assemble, type Logs } from "./logs.ts"
import { agreement } from "./properties/agreement.ts"
import { delivery } from "./properties/delivery.ts"
import { durable } from "./properties/durable.ts"
import { identity } from "./properties/identity.ts"
import { order } from "./properties/order.ts"
import { origin } from "./properties/origin.ts"
import { outage } from "./properties/outage.ts"
import { privacy } from "./properties/privacy.ts"
import { recovery } from "./properties/recovery.ts"
import { unread } from "./properties/unread.ts"
import { watermarks } from "./properties/watermarks.ts"
import { whole } from "./properties/whole.ts"
import type { Property, Violation } from "./property.ts"

export const PROPERTIES: readonly Property[] = [
  durable,
  whole,
  agreement,
  delivery,
  privacy,
  identity,
  origin,
  order,
  watermarks,
  unread,
  recovery,
  outage,
]

export interface Finding {
  property: Property
  violations: Violation[]
}

/** Judges a history by every property. */
export function check(evidence: Evidence, logs: Logs = assemble(evidence)): Finding[] {
  return PROPERTIES.map((property) => ({
    property,
    violations: property.check(evidence, logs),
  }))
}
