import { existsSync, statSync } from "node:fs"
import { mkdtemp, readFile, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join, relative } from "node:path"
import { findChromium } from "../platform/machine/chromium.ts"
import { seconds } from "../platform/machine/duration.ts"
import { inRoot, ROOT } from "../platform/machine/root.ts"
import { walk } from "../platform/machine/walk.ts"
import { type Counts, readReport } from "./junit.ts"
import { type Finished, run } from "./step.ts"

/** One thing that is checked: a tool that says yes or no (which counts as one test), or a run of tests. */
interface Check {
  name: string
  /** In ms; what hangs is killed then, and has failed. */
  timeout: number
  /** What Bun is run with. */
  args: string[]
  /** The test files it runs, relative to the clone; absent where it is a tool. */
  files?: string[]
  /** Why it cannot be run here. */
  missing?: string
}

const MINUTE = 60_000

/** The default of `bun test` is 5 s a test, which a busy machine can exceed with nothing being wrong. */
const TEST_TIMEOUT = 30_000

/**
 * A user's own settings must not change what the tests see. MONGODB_URL and KAFKA_BROKERS are none of them: where they
 * are set, they name the engines to test on.
 */
const SETTINGS =
  /^(PORT|HOST|DATA_DIR|PUBLIC_URL|LINK_SECRET|(LINK_SECRET|MONGODB_URL)_FILE|(AUTH|CHAT|WEB|GATEWAY|NODE)_URL|KAFKA_PARTITIONS|TRUSTED_PROXIES|\w+_PER_(ADDRESS|PERSON|DAY|MINUTE)|INTROSPECTION|ACCESS_LOG|PLAYGROUND_DIR|METRICS_\w+|OTEL_\w+|LOG_LEVEL|ANSWER_BYTES|NODE_ENV)$/

/**
 * Runs every check of the project, or those about some of its folders, one after the other. One line a check, the
 * failures in full, and `N passed, N failed` over all of them as the last line.
 * @returns 0 where nothing failed, 1 where something did or nothing was tested, 2 where a folder does not exist.
 */
export async function runTests(folders: string[]): Promise<number> {
  const scope = folders.map((folder) => relative(ROOT, inRoot(folder)))
  const unknown = scope.find((folder) => folder.startsWith("..") || !existsSync(inRoot(folder)))
  if (unknown !== undefined) {
    process.stderr.write(`There is no folder "${unknown}" in ${ROOT} to test.\n`)
    return 2
  }
  const total: Counts = { passed: 0, failed: 0, skipped: 0 }
  for (const check of checksFor(scope)) {
    const counts = await carryOut(check)
    total.passed += counts.passed
    total.failed += counts.failed
    total.skipped += counts.skipped
  }
  if (total.skipped > 0) process.stdout.write(`${total.skipped} skipped\n`)
  process.stdout.write(`${total.passed} passed, ${total.failed} failed\n`)
  return total.failed === 0 && total.passed > 0 ? 0 : 1
}

/** Formatting and types first: they take seconds, and what they find is often why a test fails. */
function checksFor(scope: string[]): Check[] {
  const files = findTests(scope)
  const inBrowser = files.filter((file) => /\.browser\.test\.tsx?$/.test(file))
  const ofSystem = files.filter((file) => file.startsWith("e2e/") && !inBrowser.includes(file))
  const ofParts = files.filter((file) => !inBrowser.includes(file) && !ofSystem.includes(file))

  const checks = [
    tool("format and lint", [
      "@biomejs/biome/bin/biome",
      "ci",
      "--colors=off",
      ...scope.map((f) => f || "."),
    ]),
    tool("types", ["typescript/bin/tsc", "-p", "."]),
  ]
  if (existsSync(inRoot("web/tsconfig.json"))) {
    checks.push(tool("types of the web app", ["typescript/bin/tsc", "-p", "web", "--noEmit"]))
  }
  for (const [folder, files] of Object.entries(Object.groupBy(ofParts, roomOf))) {
    checks.push(tests(folder, files ?? [], 10 * MINUTE))
  }
  const isAttacked = isWhole(scope, "cli/attack")
  if (inBrowser.length + ofSystem.length > 0 || isAttacked) {
    const args = ["cli/prepare.ts", "web"]
    checks.push({ name: "web app builds", timeout: 15 * MINUTE, args })
  }
  if (ofSystem.length > 0) checks.push(tests("e2e", ofSystem, 20 * MINUTE))
  if (inBrowser.length > 0 && process.env.SKIP_BROWSER !== "1") {
    const missing = findChromium()
      ? undefined
      : "There is no Chromium: install it (on Debian: apt-get install chromium), name it in CHROMIUM, or leave these tests out with SKIP_BROWSER=1."
    checks.push({ ...tests("e2e in a browser", inBrowser, 20 * MINUTE), missing })
  }
  if (isAttacked) checks.push(ATTACK)
  if (isWhole(scope, "cli/torture")) checks.push(...TORTURE)
  return checks
}

/** Whether all tests of a folder are to be run, and not some of them. */
const isWhole = (scope: string[], folder: string) =>
  existsSync(inRoot(folder)) &&
  (scope.length === 0 || scope.some((f) => f === "" || isInside(folder, f)))

const torture = (name: string, ...args: string[]): Check => ({
  name: `torture: ${name}`,
  timeout: 10 * MINUTE,
  args: ["cli/torture/main.ts", "--seed", "1", ...args],
})

/**
 * Two minutes in which everything goes wrong and two people wish the others harm, and bugs that the checker has to find.
 * How soon everyone has caught up depends on what else the machine does: it is told here, and judged where the torture
 * runs by itself.
 */
const TORTURE: Check[] = [
  torture("embedded", "--untimed", "--engines", "embedded", "--minutes", "0.8", "--attackers", "2"),
  torture("cluster", "--untimed", "--engines", "cluster", "--minutes", "1.2", "--attackers", "2"),
  torture("planted bugs", "--bugs", "quick"),
]

/**
 * Every class of attacks for some seconds each. How late a message is depends on what else the machine does, so that it
 * is judged by how late it was before; what was cut, lost, refused or took memory is judged strictly.
 */
const ATTACK: Check = {
  name: "attack: embedded",
  timeout: 10 * MINUTE,
  args: ["cli/attack/main.ts", "--quick"],
}

const tool = (name: string, [script = "", ...args]: string[]): Check => ({
  name,
  timeout: 10 * MINUTE,
  // Both tools name Node in their first line, which a machine with Bun need not have.
  args: [inRoot("node_modules", script), ...args],
})

const tests = (name: string, files: string[], timeout: number): Check => ({
  name,
  timeout,
  files,
  args: ["test", "--only-failures", `--timeout=${TEST_TIMEOUT}`, ...files.map(asPath)],
})

/** Without the `./` it would be a pattern, which other files may match as well. */
const asPath = (file: string) => `./${file}`

/** The part of the project that a test belongs to; what `./parley` can do has many. */
const roomOf = (file: string) => /^(cli\/\w+|\w+)\//.exec(file)?.[1] ?? "."

const NO_TESTS = /^(node_modules|\.next|\.git|\.parley|data)$/

function findTests(scope: string[]): string[] {
  const tests = [...walk(ROOT, "", NO_TESTS)].filter((file) => /\.test\.tsx?$/.test(file))
  if (scope.length === 0) return tests
  return tests.filter((file) => scope.some((folder) => isInside(file, folder)))
}

const isInside = (file: string, folder: string) =>
  folder === "" ||
  file === folder ||
  (statSync(inRoot(folder)).isDirectory() && file.startsWith(`${folder}/`))

async function carryOut(check: Check): Promise<Counts> {
  if (check.missing) return tell(check, { passed: 0, failed: 1, skipped: 0 }, 0, check.missing)
  if (process.stderr.isTTY) process.stderr.write(`  ${check.name} …\r`)
  const folder = await mkdtemp(join(tmpdir(), "parley-test-"))
  try {
    const report = join(folder, "report.xml")
    const reporting = ["--reporter=junit", `--reporter-outfile=${report}`]
    const finished = await run(check.files ? [...check.args, ...reporting] : check.args, {
      cwd: ROOT,
      environment: testEnvironment(),
      timeout: check.timeout,
    })
    const { counts, problems } = check.files
      ? await judgeTests(check.files, finished, report)
      : judgeTool(finished)
    if (finished.timedOut) problems.push(`It was killed after ${seconds(check.timeout)}.`)
    const details = counts.failed > 0 ? [finished.output.trim(), ...problems].join("\n") : undefined
    return tell(check, counts, finished.took, details)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

interface Verdict {
  counts: Counts
  problems: string[]
}

function judgeTool({ status }: Finished): Verdict {
  const failed = status === 0 ? 0 : 1
  return { counts: { passed: 1 - failed, failed, skipped: 0 }, problems: [] }
}

/** The report alone is not enough: it lacks a file that could not be loaded, and a crash leaves no report at all. */
async function judgeTests(files: string[], finished: Finished, path: string): Promise<Verdict> {
  const problems: string[] = []
  try {
    const { files: reported, ...counts } = readReport(await readFile(path, "utf8"))
    for (const file of files) {
      if (!reported.has(file)) problems.push(`${file} ran no test.`)
    }
    const failed = counts.failed + problems.length
    if (finished.status === 0 || failed > 0) return { counts: { ...counts, failed }, problems }
    problems.push(`bun test ended with status ${finished.status}.`)
    return { counts: { ...counts, failed: 1 }, problems }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    problems.push(`bun test ended with status ${finished.status}, and without a report: ${reason}.`)
    return { counts: { passed: 0, failed: 1, skipped: 0 }, problems }
  }
}

function testEnvironment(): Record<string, string | undefined> {
  const kept = Object.entries(process.env).filter(([name]) => !SETTINGS.test(name))
  // Output without colours: it is captured, and may be shown anywhere.
  const plain = { NO_COLOR: "1", FORCE_COLOR: undefined }
  return { ...Object.fromEntries(kept), ...plain, CHROMIUM: findChromium() }
}

function tell({ name }: Check, counts: Counts, took: number, details?: string): Counts {
  const { passed, failed, skipped } = counts
  const parts = [`${passed} passed`]
  if (failed > 0) parts.push(`${failed} failed`)
  if (skipped > 0) parts.push(`${skipped} skipped`)
  const mark = failed > 0 ? "✗" : "✓"
  process.stdout.write(
    `${mark} ${name.padEnd(22)} ${parts.join(", ").padEnd(24)} ${seconds(took)}\n`,
  )
  if (details) process.stdout.write(`${details.replaceAll(/^/gm, "    ")}\n`)
  return counts
}
