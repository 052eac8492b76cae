import type { Evidence } from "./evidence.ts"

/** From when on a user may have joined a conversation for the nth time (from 0); infinite where no request can have done so. */
export type Joinings = (conversation: string, who: string, nth: number) => number

/** A request that ended so may have been carried out all the same. */
const MAY_HAVE_HAPPENED = /^(UNAVAILABLE|INTERNAL)$/

/**
 * Bounds the time of each joining from below, by when it was asked for: one request is the cause of one joining at most,
 * so the nth joining is not older than the nth request.
 */
export function createJoinings({ groups, changes }: Evidence): Joinings {
  const asked = new Map<string, number[]>()
  const note = (conversation: string, who: string, t: number) => {
    const key = `${conversation} ${who}`
    const known = asked.get(key)
    if (known) known.push(t)
    else asked.set(key, [t])
  }
  for (const { conversation, members, t } of groups) {
    for (const who of members) note(conversation, who, t)
  }
  for (const { conversation, add = [], t, answer } of changes) {
    if ("code" in answer && !MAY_HAVE_HAPPENED.test(answer.code)) continue
    for (const who of add) note(conversation, who, t)
  }
  for (const times of asked.values()) times.sort((a, b) => a - b)
  return (conversation, who, nth) =>
    asked.get(`${conversation} ${who}`)?.[nth] ?? Number.POSITIVE_INFINITY
}
