import { mkdirSync, readFileSync } from "node:fs"
import { readFile, writeFile } from "node:fs/promises"
import { fingerprint } from "../platform/machine/fingerprint.ts"
import { type Lock, takeLock } from "../platform/machine/lock.ts"
import { inRoot, ROOT } from "../platform/machine/root.ts"
import { missingPatches } from "./patches.ts"
import { run, step } from "./step.ts"

/**
 * Brings the clone up to date before anything of it is loaded, so nothing here may import a package:
 *
 *     bun cli/prepare.ts packages web
 *
 * A need remembers what it was made from in a stamp that lies inside its output: deleting the output deletes the
 * stamp. Where nothing has changed this costs some ms and writes nothing.
 */
interface Need {
  label: string
  /** Where the stamp is, in the clone. */
  stamp: string
  /** Its input: files and whole folders of the clone. */
  sources: string[]
  /** Names a flaw of the output though its stamp is right; undefined where there is none. */
  flaw?(): string | undefined
  /** What Bun is run with. */
  args: string[]
  cwd: string
  environment?: Record<string, string>
  failed: string
}

const workspaces: string[] = JSON.parse(readFileSync(inRoot("package.json"), "utf8")).workspaces

const packageFiles = [
  "bun.lock",
  "bunfig.toml",
  "package.json",
  "patches",
  ...workspaces.map((folder) => `${folder}/package.json`),
]

/** No source of ours, or nothing that ends up in what is made. */
const NO_SOURCE = /^(node_modules|\.next|next-env\.d\.ts|.*\.tsbuildinfo|.*\.test\.tsx?)$/

/** Longer than a slow machine takes on a slow line; a command that hangs is killed then, in ms. */
const TIMEOUT = 15 * 60_000

const needs: Record<string, Need> = {
  packages: {
    label: "installing packages",
    stamp: "node_modules/.parley-stamp",
    sources: packageFiles,
    flaw: () => {
      const missing = missingPatches(ROOT)
      return missing.length > 0
        ? `The packages lack ${missing.join(" and ")}: remove node_modules and let ./parley install them (npm applies no patches).`
        : undefined
    },
    args: ["install", "--frozen-lockfile"],
    cwd: ROOT,
    failed: "The packages could not be installed: see above, then try again.",
  },
  web: {
    label: "building the web app",
    stamp: "web/.next/parley-stamp",
    sources: [...packageFiles, "web", "platform", "auth/graphql", "chat/graphql"],
    args: [inRoot("node_modules/next/dist/bin/next"), "build"],
    cwd: inRoot("web"),
    environment: { NODE_ENV: "production", NEXT_TELEMETRY_DISABLED: "1" },
    failed: "The web app could not be built: see above.",
  },
}

/** @returns true where everything named is there and current now. */
export async function prepare(names: readonly string[]): Promise<boolean> {
  for (const name of names) {
    const need = needs[name]
    if (!need) throw new Error(`there is no need "${name}"`)
    if (await isCurrent(need)) continue
    using _lock = await lockClone()
    // The process that held the lock until now may have done it.
    if (!(await isCurrent(need)) && !(await fulfil(need))) return false
  }
  return true
}

async function fulfil(need: Need): Promise<boolean> {
  // Taken before: what changes while this runs makes the stamp stale, as it should.
  const sources = sourcesOf(need)
  const { status, output, timedOut } = await step(need.label, () =>
    run(need.args, {
      cwd: need.cwd,
      environment: { ...process.env, ...need.environment },
      timeout: TIMEOUT,
    }),
  )
  if (status !== 0) {
    const hung = timedOut ? " (It hung.)" : ""
    process.stderr.write(`${output.trimEnd()}\n${need.failed}${hung}\n`)
    return false
  }
  const flaw = need.flaw?.()
  if (flaw) {
    process.stderr.write(`${flaw}\n`)
    return false
  }
  await writeFile(inRoot(need.stamp), sources)
  return true
}

async function isCurrent(need: Need): Promise<boolean> {
  const stamp = await readFile(inRoot(need.stamp), "utf8").catch(() => undefined)
  return stamp === sourcesOf(need) && need.flaw?.() === undefined
}

const sourcesOf = (need: Need) => fingerprint(ROOT, need.sources, NO_SOURCE)

/** Two launchers in one clone must not install or build over each other. */
async function lockClone(): Promise<Lock> {
  mkdirSync(inRoot(".parley"), { recursive: true })
  const file = inRoot(".parley/lock")
  const lock = takeLock(file)
  if (lock) return lock
  return step("waiting for another ./parley that is getting ready in this folder", async () => {
    for (;;) {
      await Bun.sleep(100)
      const lock = takeLock(file)
      if (lock) return lock
    }
  })
}

if (import.meta.main) {
  try {
    process.exit((await prepare(process.argv.slice(2))) ? 0 : 1)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    process.stderr.write(`The folder ${ROOT} could not be made ready: ${reason}.\n`)
    process.exit(1)
  }
}
