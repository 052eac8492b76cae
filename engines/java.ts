import { readdirSync } from "node:fs"
import { dirname, join } from "node:path"
import type { Environment } from "@parley/platform/config.ts"
import { runCommand } from "./command.ts"
import { type Report, timed } from "./report.ts"

/** A Java runtime that can run the engines and compile their main classes. */
export interface Java {
  /** The program. */
  path: string
  /** What JAVA_HOME is to be for programs that look for it. */
  home: string
  /** As it describes itself; differs between any two builds. */
  version: string
}

/** Kafka's brokers need it. */
const OLDEST = 17

/** Where systems put runtimes that are not on PATH. */
const HOMES = "/usr/lib/jvm"

/** Debian's default first; releases whose default is older have the second. */
const RUNTIMES = ["default-jre-headless", "openjdk-17-jre-headless"]

const QUICK = 20_000
/** Of a package with all that it needs, on a slow line. */
const INSTALL = 10 * 60_000

/**
 * Finds Java 17 or newer: in JAVA_HOME, on PATH, or where the system keeps its runtimes; installs it through apt where
 * there is none and this user may.
 *
 * It has to have the module jdk.compiler, as every JDK has, and the runtimes of Debian and Ubuntu too, though without
 * the command `javac`.
 * @throws Error that says in one sentence what to install
 */
export async function findJava(
  environment: Environment,
  report: Report,
  homes = HOMES,
): Promise<Java> {
  for (const missing of [undefined, ...RUNTIMES]) {
    if (missing && !(await install(missing, environment, report))) continue
    for (const path of candidates(environment, homes)) {
      const java = await inspect(path, environment)
      if (java) return java
    }
  }
  throw new Error(
    `Java ${OLDEST} or newer is missing and could not be installed: install it (on Debian: apt-get install ${RUNTIMES[0]}), or set MONGODB_URL and KAFKA_BROKERS to engines that run already.`,
  )
}

/**
 * Finds Maven on PATH; installs it through apt where it is missing and this user may.
 * @throws Error that says in one sentence what to install
 */
export async function findMaven(environment: Environment, report: Report): Promise<string> {
  const found = which("mvn", environment)
  if (found) return found
  const installed = (await install("maven", environment, report)) && which("mvn", environment)
  if (installed) return installed
  throw new Error(
    "Maven is missing and could not be installed: install it (on Debian: apt-get install maven), or set MONGODB_URL and KAFKA_BROKERS to engines that run already.",
  )
}

function candidates(environment: Environment, homes: string): string[] {
  const named = environment.JAVA_HOME && join(environment.JAVA_HOME, "bin/java")
  const onPath = which("java", environment)
  return [...new Set([named, onPath, ...installed(homes)])].filter((path) => path !== undefined)
}

function installed(homes: string): string[] {
  try {
    return readdirSync(homes)
      .sort()
      .map((name) => join(homes, name, "bin/java"))
  } catch {
    return []
  }
}

async function inspect(path: string, environment: Environment): Promise<Java | undefined> {
  const settings = await runCommand(
    [path, "-XshowSettings:properties", "--list-modules"],
    environment,
    QUICK,
  )
  const property = (name: string) =>
    new RegExp(`^ +${name.replaceAll(".", "\\.")} = (.*)$`, "m").exec(settings.output)?.[1]
  const version = Number(property("java.specification.version"))
  if (!(version >= OLDEST) || !/^jdk\.compiler@/m.test(settings.output)) return undefined
  const build = ["java.vm.name", "java.vm.version", "os.arch"].map(property).join(" ")
  return { path, home: property("java.home") ?? dirname(dirname(path)), version: build }
}

/** @returns false where the package is missing afterwards; the user is then told to install it, whatever the reason. */
async function install(name: string, environment: Environment, report: Report): Promise<boolean> {
  const apt = which("apt-get", environment)
  if (!apt) return false
  const prefix = await rootPrefix(environment)
  if (!prefix) return false
  const run = (...args: string[]) =>
    runCommand(
      [...prefix, "env", "DEBIAN_FRONTEND=noninteractive", apt, "-qq", ...args],
      environment,
      INSTALL,
    )
  const { status } = await timed(report, `installing ${name} through apt`, async () => {
    // A list that cannot be refreshed may still be good enough.
    await run("update")
    return run("install", "-y", "--no-install-recommends", name)
  })
  return status === 0
}

/** What to put before a command that only root may run; undefined where this user may not, or only with a password. */
async function rootPrefix(environment: Environment): Promise<string[] | undefined> {
  if (process.getuid?.() === 0) return []
  const sudo = which("sudo", environment)
  if (!sudo) return undefined
  const { status } = await runCommand([sudo, "-n", "true"], environment, QUICK)
  return status === 0 ? [sudo, "-n"] : undefined
}

const which = (name: string, environment: Environment): string | undefined =>
  Bun.which(name, { PATH: environment.PATH ?? "" }) ?? undefined
