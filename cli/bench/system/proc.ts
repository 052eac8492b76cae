import { readdirSync, readFileSync } from "node:fs"

/** What the kernel knows of a process: proc_pid_stat(5), proc_pid_smaps(5). Linux only. */

const TICKS_PER_SECOND = Number(Bun.spawnSync(["getconf", "CLK_TCK"]).stdout.toString()) || 100

/** CPU time of a process since it began, all its threads, in µs; as fine as the kernel's clock tick (10 ms mostly). */
export function cpuMicros(pid: number): number {
  const fields = statFields(pid)
  // utime and stime, fields 14 and 15.
  return ((Number(fields[11]) + Number(fields[12])) * 1e6) / TICKS_PER_SECOND
}

/** Memory in RAM, in bytes: what is shared with other processes counts in full. */
export const rssBytes = (pid: number): number => kilobytes(`/proc/${pid}/status`, "VmRSS")

/** The same, in which what is shared counts in parts, so that the sum over processes is what they take together. */
export const pssBytes = (pid: number): number => kilobytes(`/proc/${pid}/smaps_rollup`, "Pss")

/** A process and all that descend from it. */
export function processTree(root: number): number[] {
  const children = new Map<number, number[]>()
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue
    try {
      const parent = Number(statFields(Number(name))[1])
      children.set(parent, [...(children.get(parent) ?? []), Number(name)])
    } catch {
      // It has ended while we looked.
    }
  }
  const family = [root]
  for (const pid of family) family.push(...(children.get(pid) ?? []))
  return family
}

/** The command line of a process; empty where it has ended. */
export function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim()
  } catch {
    return ""
  }
}

/** The fields of /proc/<pid>/stat from the third on: the second is a name in brackets that may hold blanks. */
function statFields(pid: number): string[] {
  const text = readFileSync(`/proc/${pid}/stat`, "utf8")
  return text.slice(text.lastIndexOf(")") + 2).split(" ")
}

function kilobytes(file: string, name: string): number {
  const line = new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(readFileSync(file, "utf8"))
  if (!line) throw new Error(`${file} says nothing about ${name}.`)
  return Number(line[1]) * 1024
}
