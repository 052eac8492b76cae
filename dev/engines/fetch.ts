import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs"
import { rename } from "node:fs/promises"
import { join } from "node:path"
import type { Environment } from "@parley/service/config.ts"
import { fingerprint } from "../../launcher/fingerprint.ts"
import { type Lock, takeLock } from "../../launcher/lock.ts"
import { inRoot, ROOT } from "../../launcher/root.ts"
import { runCommand } from "./command.ts"
import { findJava, findMaven, type Java } from "./java.ts"
import { type Report, timed } from "./report.ts"

/** What it takes to start an engine. */
export interface Installation {
  java: Java
  /** Where the jars are; what an engine wants to keep beside them goes here, too. */
  folder: string
  /** Every jar by name, in an order that never changes: what an archive of loaded classes depends on. */
  classPath: string
}

const CACHE = inRoot(".parley/engines")
const SOURCES = ["dev/engines/pom.xml", "dev/engines/java"]
const NOTHING = /^$/

/** Longer than some 75 MB take on a slow line, in ms. */
const DOWNLOAD = 20 * 60_000
const COMPILE = 2 * 60_000

/**
 * Makes sure that the engines' jars are in the project's cache and their main classes compiled. The first time this
 * fetches them through Maven; from then on it costs one look at the Java runtime. Of several processes that come here
 * at once, one fetches and the others wait.
 * @throws Error in one sentence, where Java or Maven is missing or the jars cannot be had
 */
export async function openInstallation(
  environment: Environment,
  report: Report,
): Promise<Installation> {
  const java = await findJava(environment, report)
  const folder = join(CACHE, fingerprint(ROOT, SOURCES, NOTHING).slice(0, 16))
  if (!existsSync(folder)) {
    using _lock = await lockEngines(report)
    // Whoever held the lock until now may have done it.
    if (!existsSync(folder)) await fill(folder, java, environment, report)
  }
  return { java, folder, classPath: jarsIn(folder).join(":") }
}

const jarsIn = (folder: string) =>
  readdirSync(join(folder, "lib"))
    .sort()
    .map((jar) => join(folder, "lib", jar))

/** Waits for the lock on the engines' cache. Whoever holds it for long is fetching. */
export async function lockEngines(report: Report): Promise<Lock> {
  mkdirSync(CACHE, { recursive: true })
  const file = join(CACHE, "lock")
  const lock = takeLock(file)
  if (lock) return lock
  return timed(report, "waiting for another process that prepares the engines", async () => {
    for (;;) {
      await Bun.sleep(100)
      const lock = takeLock(file)
      if (lock) return lock
    }
  })
}

/** Only the rename of the finished folder makes it visible, so what is there is complete. */
async function fill(folder: string, java: Java, environment: Environment, report: Report) {
  const scratch = `${folder}.new`
  rmSync(scratch, { recursive: true, force: true })
  await fetchJars(join(scratch, "lib"), java, environment, report)
  await timed(report, "compiling the engines' main classes", () => compile(scratch, java))
  await rename(scratch, folder)
}

async function fetchJars(lib: string, java: Java, environment: Environment, report: Report) {
  const maven = await findMaven(environment, report)
  // Maven's own store: kept where the fetch failed, so that the next try goes on from there.
  const repository = join(CACHE, "maven")
  const { status, output } = await timed(
    report,
    "fetching Kafka and the MongoDB-protocol server through Maven (some 75 MB, once)",
    () =>
      runCommand(
        [
          maven,
          ...["--batch-mode", "--quiet", "--strict-checksums"],
          ...["--file", inRoot("dev/engines/pom.xml")],
          `-Dmaven.repo.local=${repository}`,
          "dependency:copy-dependencies",
          "-DincludeScope=runtime",
          `-DoutputDirectory=${lib}`,
        ],
        { ...environment, JAVA_HOME: java.home },
        DOWNLOAD,
      ),
  )
  if (status !== 0)
    throw new Error(`The engines could not be fetched: Maven said:\n${tail(output)}`)
  rmSync(repository, { recursive: true })
}

/**
 * The compiler and `jar` are modules of the runtime, so no JDK is needed where those are there. It has to be a jar:
 * archives of loaded classes know no folders.
 */
async function compile(scratch: string, java: Java): Promise<void> {
  const sources = readdirSync(inRoot("dev/engines/java"))
  const classes = join(scratch, "classes")
  const commands = [
    [
      ...["-m", "jdk.compiler/com.sun.tools.javac.Main"],
      ...["-nowarn", "-source", "17", "-target", "17", "-Xlint:-options"],
      ...["-cp", jarsIn(scratch).join(":"), "-d", classes],
      ...sources.map((name) => inRoot("dev/engines/java", name)),
    ],
    [
      "-m",
      "jdk.jartool/sun.tools.jar.Main",
      "cf",
      join(scratch, "lib/parley.jar"),
      "-C",
      classes,
      ".",
    ],
  ]
  for (const command of commands) {
    const { status, output } = await runCommand([java.path, ...command], {}, COMPILE)
    if (status !== 0) throw new Error(`The engines' main classes do not compile:\n${tail(output)}`)
  }
  rmSync(classes, { recursive: true })
}

const tail = (output: string) => output.trimEnd().split("\n").slice(-20).join("\n")
