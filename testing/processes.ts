import { readdirSync, readFileSync } from "node:fs"

/** What the kernel knows of processes: proc_pid_stat(5), proc_pid_status(5), proc_pid_smaps(5). Linux only. */

export interface Process {
  pid: number
  parent: number
  /** With its arguments. */
  command: string
}

const TICKS_PER_SECOND = Number(Bun.spawnSync(["getconf", "CLK_TCK"]).stdout.toString()) || 100

/** Every process of this machine that has not ended. */
export function processes(): Process[] {
  return readdirSync("/proc").flatMap((name) => {
    if (!/^\d+$/.test(name)) return []
    try {
      const [state, parent] = statFields(Number(name))
      if (state === "Z") return []
      const command = readFileSync(`/proc/${name}/cmdline`, "utf8").replaceAll("\0", " ").trim()
      return [{ pid: Number(name), parent: Number(parent), command }]
    } catch {
      // It has ended while we looked.
      return []
    }
  })
}

/** A process and all that descend from it, those first that came first. */
export function processTree(root: number): Process[] {
  const all = processes()
  const family = all.filter(({ pid }) => pid === root)
  for (const { pid } of family) family.push(...all.filter(({ parent }) => parent === pid))
  return family
}

/** CPU time of a process since it began, all its threads, in µs; as fine as the kernel's clock tick (10 ms mostly). */
export function cpuMicros(pid: number): number {
  const fields = statFields(pid)
  // utime and stime, fields 14 and 15.
  return ((Number(fields[11]) + Number(fields[12])) * 1e6) / TICKS_PER_SECOND
}

/** Memory in RAM, in bytes: what is shared with other processes counts in full. @throws Error where it has ended */
export const rssBytes = (pid: number): number => kilobytes(`/proc/${pid}/status`, "VmRSS")

/** The same, in which what is shared counts in parts, so that the sum over processes is what they take together. */
export const pssBytes = (pid: number): number => kilobytes(`/proc/${pid}/smaps_rollup`, "Pss")

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
