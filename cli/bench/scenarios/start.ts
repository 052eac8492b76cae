import { inRoot } from "@parley/platform/machine/root.ts"
import { lastWords, spawn, stop, waitForLine } from "@parley/testing/child.ts"
import { temporaryFolder } from "@parley/testing/folder.ts"
import { processTree, pssBytes, rssBytes } from "@parley/testing/processes.ts"
import { figure } from "../report.ts"
import type { Scenario } from "../scenario.ts"
import { summary } from "../stats.ts"

const READY_WITHIN_MS = 90_000
const READY = /Parley is ready: (\S+)/

interface Started {
  seconds: number
  stoppedIn: number
  rss: number
  pss: number
  /** Megabytes in RAM by process. */
  processes: Map<string, number>
}

/** `./parley start` on a clone that has been started before: how long to the ready line, and what it takes idle. */
export const start: Scenario = async ({ quick, say }) => {
  const rounds = quick ? 1 : 5
  say("getting the clone ready")
  const build = Bun.spawnSync([inRoot("parley"), "build"], { stdout: "ignore", stderr: "inherit" })
  if (build.exitCode !== 0) throw new Error("./parley build failed.")
  const runs: Started[] = []
  for (let round = 0; round < rounds; round++) {
    say(`start ${round + 1} of ${rounds}`)
    runs.push(await once(quick ? 2_000 : 15_000))
  }

  const of = (read: (run: Started) => number) => summary(runs.map(read))
  const names = [...new Set(runs.flatMap(({ processes }) => [...processes.keys()]))]
  return {
    scenario: "start",
    about: "./parley start on a warm clone with an empty data folder",
    figures: [
      figure({ name: "to the ready line", unit: "s", value: of((run) => run.seconds), atMost: 5 }),
      figure({
        name: "RSS idle, all processes",
        unit: "MB",
        value: of((run) => run.rss),
        atMost: 450,
      }),
      ...names.map((name) =>
        figure({
          name: `RSS idle, ${name}`,
          unit: "MB",
          value: of(({ processes }) => processes.get(name) ?? 0),
        }),
      ),
      figure({ name: "PSS idle, all processes", unit: "MB", value: of((run) => run.pss) }),
      figure({
        name: "from SIGTERM to the end",
        unit: "s",
        value: of((run) => run.stoppedIn),
        atMost: 10,
      }),
    ],
  }
}

async function once(idleMs: number): Promise<Started> {
  using folder = temporaryFolder()
  const port = freePort()
  const began = performance.now()
  const own = { PORT: String(port), DATA_DIR: folder.path, PUBLIC_URL: "", LOG_LEVEL: "info" }
  const child = spawn([inRoot("parley"), "start"], own)
  const said = lastWords(child.stderr)
  try {
    await waitForLine(child, READY, READY_WITHIN_MS).catch((error) => {
      throw new Error(`./parley start: ${error.message}\n${said()}`)
    })
    const seconds = (performance.now() - began) / 1_000
    await Bun.sleep(idleMs)
    const processes = new Map<string, number>()
    let rss = 0
    let pss = 0
    for (const { pid, command } of processTree(child.pid)) {
      const name = nameOf(command)
      const own = rssBytes(pid) / 1e6
      processes.set(name, (processes.get(name) ?? 0) + own)
      rss += own
      pss += pssBytes(pid) / 1e6
    }
    const told = performance.now()
    await stop(child)
    if (child.exitCode !== 0) throw new Error(`./parley start ended badly.\n${said()}`)
    return {
      seconds,
      stoppedIn: (performance.now() - told) / 1_000,
      rss,
      pss,
      processes,
    }
  } finally {
    await stop(child)
  }
}

/** Which part of Parley a process is, by what it was started with. */
const nameOf = (command: string) =>
  /\b(auth|chat|gateway|web)\/main\.ts/.exec(command)?.[1] ?? "launcher"

function freePort(): number {
  const server = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } })
  const { port } = server
  server.stop(true)
  return port
}
