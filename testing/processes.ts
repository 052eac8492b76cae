import { readdirSync, readFileSync } from "node:fs"

export interface Process {
  pid: number
  parent: number
  /** With its arguments. */
  command: string
}

/** Every process of this machine that has not ended (Linux). */
export function processes(): Process[] {
  return readdirSync("/proc").flatMap((name) => {
    if (!/^\d+$/.test(name)) return []
    try {
      const status = readFileSync(`/proc/${name}/status`, "utf8")
      if (/^State:\s+Z/m.test(status)) return []
      const command = readFileSync(`/proc/${name}/cmdline`, "utf8").split("\0").join(" ").trim()
      return [{ pid: Number(name), parent: Number(/^PPid:\t(\d+)/m.exec(status)?.[1]), command }]
    } catch {
      return []
    }
  })
}
