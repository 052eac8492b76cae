import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { inRoot } from "../../platform/machine/root.ts"
import type { Service } from "./system.ts"

/** Groups of processes whose memory the kernel bounds, one for each process: cgroups(7). */
export interface Cgroups extends Disposable {
  /** Puts a process into a group of so many bytes. */
  hold(pid: number, bytes: number): void
}

/** In bytes, as compose.yaml gives it to each process of the service. */
export function composeLimit(service: Service): number {
  const text = readFileSync(inRoot("compose.yaml"), "utf8")
  const own = text.slice(text.search(new RegExp(`^  ${service}:$`, "m")))
  return Number(/memory: (\d+)M/.exec(own)?.[1]) * 2 ** 20
}

/** The file that holds a group's bound, in version 2 and 1. */
const BOUNDS = ["memory.max", "memory.limit_in_bytes"] as const

/** This process's own group: those that are made below it count as part of it. */
function ownGroup(): string | undefined {
  const lines = readFileSync("/proc/self/cgroup", "utf8").split("\n")
  const v1 = lines.find((line) => line.split(":")[1] === "memory")
  const v2 = lines.find((line) => line.startsWith("0::"))
  const candidates = [
    v1 && join("/sys/fs/cgroup/memory", v1.split(":")[2] ?? ""),
    v2 && join("/sys/fs/cgroup", v2.slice(3)),
  ]
  return candidates.find((path) => path && BOUNDS.some((file) => existsSync(join(path, file))))
}

/** @returns undefined where this user may not make such groups, or the kernel has none. */
export function openCgroups(): Cgroups | undefined {
  const parent = ownGroup()
  if (!parent) return undefined
  const made: { path: string; pid: number }[] = []
  const make = (name: string): string => {
    const path = join(parent, `parley-attack-${process.pid}-${name}`)
    mkdirSync(path)
    return path
  }
  try {
    rmdirSync(make("try"))
  } catch {
    return undefined
  }
  return {
    hold(pid, bytes) {
      const path = make(String(pid))
      made.push({ path, pid })
      const file = BOUNDS.find((name) => existsSync(join(path, name)))!
      writeFileSync(join(path, file), String(bytes))
      writeFileSync(join(path, "cgroup.procs"), String(pid))
    },
    [Symbol.dispose]() {
      for (const { path } of made) {
        try {
          rmdirSync(path)
        } catch {
          // A process in it has not ended yet: it is gone with the machine's next start.
        }
      }
    },
  }
}
