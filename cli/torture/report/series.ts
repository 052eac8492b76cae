import type { Evidence } from "../checker/evidence.ts"

/** What a run looked like, second by second. */
export interface Series {
  /** How long it took, in s. */
  seconds: number
  /** Messages that were acknowledged, by second. */
  acknowledged: number[]
  /** From a message's acknowledgement to its event at a reader that was live, in ms: the slowest of each second. */
  lag: number[]
}

export function seriesOf({ sends, subs, quiet, absences }: Evidence): Series {
  const seconds = Math.ceil((quiet ?? sends.at(-1)?.done ?? 0) / 1000) + 1
  const acknowledged = new Array<number>(seconds).fill(0)
  const lag = new Array<number>(seconds).fill(0)
  const times = new Map<string, number>()
  for (const { id, done, answer } of sends) {
    if (!("seq" in answer) || times.has(id)) continue
    times.set(id, done)
    const second = Math.floor(done / 1000)
    if (second < seconds) acknowledged[second]! += 1
  }
  for (const { open, came } of subs) {
    const away = absences.get(open.reader) ?? []
    let live = false
    for (const event of came) {
      if (event.k === "ready") live = true
      if (event.k !== "entry" || !event.message || !live) continue
      // A reader that does not listen, or has just begun to again, is late of its own will.
      if (away.some(([from, to]) => from <= event.t && event.t <= to + 1_000)) continue
      const second = Math.floor(event.t / 1000)
      const late = event.t - (times.get(event.message.id) ?? event.t)
      if (second < seconds) lag[second] = Math.max(lag[second]!, late)
    }
  }
  return { seconds, acknowledged, lag }
}
