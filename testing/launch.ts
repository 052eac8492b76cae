import { readFileSync } from "node:fs"
import { join } from "node:path"
import { inRoot, ROOT } from "@parley/platform/machine/root.ts"
import { temporaryFolder } from "./folder.ts"
import { processes } from "./processes.ts"
import { until } from "./until.ts"

/** `parley start` with a data folder of its own, and what it says. */
export function launch(environment: Record<string, string | undefined> = {}, args: string[] = []) {
  const own = temporaryFolder()
  const folder = own.path
  const child = Bun.spawn([process.execPath, inRoot("cli/main.ts"), "start", ...args], {
    cwd: ROOT,
    env: {
      ...process.env,
      ...{ MONGODB_URL: undefined, KAFKA_BROKERS: undefined },
      ...{ PORT: "0", DATA_DIR: join(folder, "data"), ...environment },
    },
    stdin: "ignore",
    stdout: Bun.file(join(folder, "out")),
    stderr: Bun.file(join(folder, "err")),
  })
  const out = () => readFileSync(join(folder, "out"), "utf8")
  const err = () => readFileSync(join(folder, "err"), "utf8")
  return {
    folder,
    child,
    out,
    err,
    async ready(): Promise<string> {
      await until(() => out() !== "" || child.exitCode !== null, "the ready line", 120_000)
      const url = /^Parley is ready: (\S+)\n$/.exec(out())?.[1]
      if (!url) throw new Error(`It did not become ready:\n${out()}${err()}`)
      return url
    },
    /** Its services' processes, oldest first. */
    services: () =>
      processes()
        .filter(({ parent }) => parent === child.pid)
        .toSorted((a, b) => a.pid - b.pid),
    /** Where each gateway of a cluster is reached; none where there is but one. */
    gateways: () => /gateways at (.*)$/m.exec(err())?.[1]?.split(" ") ?? [],
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM")
      await child.exited
      own[Symbol.dispose]()
    },
  }
}

export const isReady = (url: string) =>
  fetch(`${url}/readyz`).then(
    ({ ok }) => ok,
    () => false,
  )
