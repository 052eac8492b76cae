import type { Line } from "./format.ts"

/** Writes a history, and tells the time that it goes by. */
export interface Recorder {
  /** Ms since the start, monotonic. */
  now(): number
  write(line: Line): void
  close(): Promise<void>
}

/** To a tenth of a ms. */
const rounded = (ms: number) => Math.round(ms * 10) / 10

/** Lines reach the file twice a second, and all of them with `close`. */
export function openRecorder(file: string): Recorder {
  const began = performance.now()
  const writer = Bun.file(file).writer({ highWaterMark: 1024 * 1024 })
  const timer = setInterval(() => void writer.flush(), 500)
  return {
    now: () => rounded(performance.now() - began),
    write(line) {
      writer.write(`${JSON.stringify(line)}\n`)
    },
    async close() {
      clearInterval(timer)
      await writer.end()
    },
  }
}
