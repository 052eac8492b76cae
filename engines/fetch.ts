import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs"
import { rename } from "node:fs/promises"
import { join } from "node:path"
import type { Environment } from "@parley/platform/config.ts"
import { fingerprint } from "@parley/platform/machine/fingerprint.ts"
import { type Lock, takeLock } from "@parley/platform/machine/lock.ts"
import { inRoot, ROOT } from "@parley/platform/machine/root.ts"
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
const SOURCES = "engines/java"
const NOTHING = /^$/

/** In full: looked up by its short name, it would hide why Maven cannot fetch anything. */
const COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"

/** Longer than some 75 MB take on a slow line, in ms. */
const DOWNLOAD = 20 * 60_000
const COMPILE = 2 * 60_000

/**
 * Makes sure that the engines' jars are in the project's cache and their main classes compiled. The first time this
 * fetches them through Maven; from then on it costs one look at the Java runtime. Of several that come here at once,
 * in one process or in many, one fetches and the others wait.
 * @throws Error that says what to install where Java or Maven is missing, or what Maven said where it failed
 */
export async function openInstallation(
  environment: Environment,
  report: Report,
  cache = CACHE,
): Promise<Installation> {
  const java = await findJava(environment, report)
  const key = (path: string) => fingerprint(ROOT, [path], NOTHING).slice(0, 16)
  const folder = join(cache, key("engines/pom.xml"))
  const lib = join(folder, "lib")
  const own = join(folder, `main-${key(SOURCES)}.jar`)
  if (!existsSync(lib) || !existsSync(own)) {
    using _lock = await lockEngines(report, cache)
    // The process that held the lock may have done it. A folder that exists is complete: it comes by a rename.
    if (!existsSync(lib)) await fetchJars(lib, java, environment, report)
    if (!existsSync(own)) await compile(own, jarsIn(lib), java, report)
  }
  return { java, folder, classPath: [own, ...jarsIn(lib)].join(":") }
}

/** Waits for the lock on the engines' cache. A process that holds it for long is fetching. */
export async function lockEngines(report: Report, cache = CACHE): Promise<Lock> {
  mkdirSync(cache, { recursive: true })
  const file = join(cache, "lock")
  const lock = takeLock(file)
  if (lock) return lock
  return timed(report, "waiting for another start to prepare the engines", async () => {
    for (;;) {
      await Bun.sleep(100)
      const lock = takeLock(file)
      if (lock) return lock
    }
  })
}

const jarsIn = (lib: string) =>
  readdirSync(lib)
    .sort()
    .map((jar) => join(lib, jar))

async function fetchJars(lib: string, java: Java, environment: Environment, report: Report) {
  const maven = await findMaven(environment, report)
  const scratch = `${lib}.new`
  // Maven would take what an attempt that was killed has left there for whole.
  rmSync(scratch, { recursive: true, force: true })
  // Maven's own store: kept where the fetch failed, so that the next try goes on from there.
  const repository = `${lib}.maven`
  const command = [
    maven,
    ...["--batch-mode", "--quiet", "--strict-checksums", "-Dstyle.color=never"],
    ...["--file", inRoot("engines/pom.xml")],
    `-Dmaven.repo.local=${repository}`,
    COPY,
    "-DincludeScope=runtime",
    `-DoutputDirectory=${scratch}`,
  ]
  const { status, output } = await timed(
    report,
    "fetching Kafka and the MongoDB-protocol server through Maven (some 75 MB, once)",
    () => runCommand(command, { ...environment, JAVA_HOME: java.home }, DOWNLOAD),
  )
  if (status !== 0)
    throw new Error(`The engines could not be fetched; Maven said:\n${tail(output)}`)
  await rename(scratch, lib)
  rmSync(repository, { recursive: true, force: true })
}

/**
 * Makes a jar of our main classes. The compiler and `jar` are modules of the runtime, so no JDK is needed. It has to be
 * a jar: archives of loaded classes know no folders.
 */
async function compile(jar: string, jars: string[], java: Java, report: Report): Promise<void> {
  const scratch = mkdtempSync(`${jar}.new-`)
  const classes = join(scratch, "classes")
  const made = join(scratch, "main.jar")
  const sources = readdirSync(inRoot(SOURCES)).map((name) => inRoot(SOURCES, name))
  const commands = [
    [
      ...["-m", "jdk.compiler/com.sun.tools.javac.Main"],
      ...["-nowarn", "-source", "17", "-target", "17", "-Xlint:-options"],
      ...["-cp", jars.join(":"), "-d", classes, ...sources],
    ],
    ["-m", "jdk.jartool/sun.tools.jar.Main", "cf", made, "-C", classes, "."],
  ]
  try {
    await timed(report, "compiling the engines' main classes", async () => {
      for (const command of commands) {
        const { status, output } = await runCommand([java.path, ...command], {}, COMPILE)
        if (status === 0) continue
        throw new Error(`The engines' main classes do not compile:\n${tail(output)}`)
      }
    })
    await rename(made, jar)
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

const tail = (output: string) => Bun.stripANSI(output).trimEnd().split("\n").slice(-20).join("\n")
