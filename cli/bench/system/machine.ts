import { cpus, loadavg, totalmem } from "node:os"

/** What a run was made on: figures of two machines must not be compared without it. */
export interface Machine {
  cpu: string
  cores: number
  memoryGb: number
  system: string
  bun: string
  /** Processes that wanted a core before the run, averaged over a minute: above 0.3 or so the machine is not quiet. */
  loadBefore: number
}

export const machine = (): Machine => ({
  cpu: cpus()[0]?.model.trim() ?? "unknown",
  cores: cpus().length,
  memoryGb: Math.round(totalmem() / 2 ** 30),
  system: `${process.platform} ${Bun.spawnSync(["uname", "-r"]).stdout.toString().trim()}`,
  bun: Bun.version,
  loadBefore: loadavg()[0] ?? 0,
})
