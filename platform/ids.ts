import type { Clock } from "./clock.ts"

/** Makes ids; injected, so that a test can replay them. */
export type IdSource = () => string

const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

/** UUIDv7 ids (RFC 9562 §5.7), ordered by the clock. */
export const uuidv7Source =
  (clock: Clock): IdSource =>
  () =>
    Bun.randomUUIDv7("hex", clock.now())

/** True for a UUIDv7 in its canonical, lower-case form: the only form that is accepted, so that one id has one spelling. */
export const isUuidv7 = (id: string): boolean => UUID_V7.test(id)

/** The time inside a UUIDv7, in ms since the epoch. */
export const uuidv7Time = (id: string): number =>
  Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16)
