import { existsSync, writeFileSync } from "node:fs"
import { join } from "node:path"

/** The clock of one process, which the nemesis may set. */
export interface FakeClock {
  /** For the process's environment. */
  environment: Record<string, string>
  /** For its command line. */
  preload: string[]
  /** How far it is ahead of the true time, in ms; a process that starts anew keeps it. */
  shift(ms: number): void
}

const LIBRARIES = ["x86_64-linux-gnu", "aarch64-linux-gnu", "."].map(
  (machine) => `/usr/lib/${machine}/faketime/libfaketime.so.1`,
)

/**
 * Makes a clock for one process, by libfaketime where there is one, else by a module that shifts Bun's `Date`. Timers go
 * by the monotonic clock, which such jumps leave alone, as they do in life.
 */
export function createClock(folder: string, name: string, library: string | undefined): FakeClock {
  const file = join(folder, `${name}.clock`)
  const shift = (ms: number) => writeFileSync(file, `${ms < 0 ? "-" : "+"}${Math.abs(ms) / 1000}`)
  shift(0)
  if (!library) {
    return {
      environment: { TORTURE_CLOCK: file },
      preload: [join(import.meta.dir, "shifted-date.ts")],
      shift,
    }
  }
  return {
    environment: {
      LD_PRELOAD: library,
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_CACHE_DURATION: "1",
      FAKETIME_DONT_FAKE_MONOTONIC: "1",
    },
    preload: [],
    shift,
  }
}

/** Where this machine has libfaketime; undefined where it has none. */
export const fakeTimeLibrary = (): string | undefined => LIBRARIES.find((file) => existsSync(file))
