import { expect, setDefaultTimeout, test } from "bun:test"
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { findJava, findMaven } from "./java.ts"
import { makeStubs } from "./test/stubs.ts"

/** On a busy machine; in ms. */
setDefaultTimeout(120_000)

const silent = () => {}

/** What a Java program says of itself; a script. */
const javaScript = (version: string, modules: string) => `cat <<'TEXT'
Property settings:
    java.home = /opt/java-${version}
    java.specification.version = ${version}
    java.vm.name = Some VM
    java.vm.version = ${version}.0.1
    os.arch = amd64

${modules}
TEXT`

const COMPLETE = "java.base@17\njdk.compiler@17"

/** An apt-get that writes down what it is asked, and puts a command in place when it installs. */
const aptScript = (folder: string, name: string, script: string) => `
echo "$*" >> ${folder}/asked
case "$*" in *install*)
  cat > ${folder}/bin/${name} <<'SCRIPT'
#!/bin/sh
${script}
SCRIPT
  chmod 755 ${folder}/bin/${name}
esac`

/** Runs the rest of its arguments, as for a user who may. */
const SUDO = `[ "$1" = -n ] && shift; [ "$1" = true ] && exit 0; exec "$@"`

const asked = (folder: string) => Bun.file(join(folder, "asked")).text()

test("takes the first runtime that is new enough and can compile", async () => {
  using stubs = makeStubs()
  stubs.add("java", javaScript("11", COMPLETE))
  const homes = join(stubs.folder, "jvm")
  for (const [name, script] of [
    ["a-without-compiler", javaScript("21", "java.base@21")],
    ["b-right", javaScript("17", COMPLETE)],
    ["c-too-late", javaScript("21", COMPLETE)],
  ] as const) {
    const bin = join(homes, name, "bin")
    mkdirSync(bin, { recursive: true })
    writeFileSync(join(bin, "java"), `#!/bin/sh\n${script}\n`, { mode: 0o755 })
  }
  expect(await findJava({ PATH: stubs.path }, silent, homes)).toEqual({
    path: join(homes, "b-right/bin/java"),
    home: "/opt/java-17",
    version: "Some VM 17.0.1 amd64",
  })
})

test("takes the runtime that JAVA_HOME names before one on PATH", async () => {
  using stubs = makeStubs()
  stubs.add("java", javaScript("17", COMPLETE))
  const home = join(stubs.folder, "home")
  mkdirSync(join(home, "bin"), { recursive: true })
  writeFileSync(join(home, "bin/java"), `#!/bin/sh\n${javaScript("21", COMPLETE)}\n`, {
    mode: 0o755,
  })
  const java = await findJava({ PATH: stubs.path, JAVA_HOME: home }, silent, "/nowhere")
  expect(java.home).toBe("/opt/java-21")
})

test("installs a runtime and Maven through apt, and reports it", async () => {
  using stubs = makeStubs()
  stubs.add("sudo", SUDO)
  stubs.add("apt-get", aptScript(stubs.folder, "java", javaScript("17", COMPLETE)))
  const lines: string[] = []
  const report = (line: string) => lines.push(line)
  const java = await findJava({ PATH: stubs.path }, report, "/nowhere")
  expect(java.path).toBe(join(stubs.path, "java"))
  expect(await asked(stubs.folder)).toBe(
    "-qq update\n-qq install -y --no-install-recommends default-jre-headless\n",
  )

  stubs.add("apt-get", aptScript(stubs.folder, "mvn", "exit 0"))
  expect(await findMaven({ PATH: stubs.path }, report)).toBe(join(stubs.path, "mvn"))
  expect(lines).toHaveLength(2)
  expect(lines[0]).toMatch(/^installing default-jre-headless through apt … \d+\.\d s$/)
  expect(lines[1]).toMatch(/^installing maven through apt … \d+\.\d s$/)
})

test("says in one sentence what to install, where it cannot", async () => {
  using stubs = makeStubs()
  const environment = { PATH: stubs.path }
  expect(findJava(environment, silent, "/nowhere")).rejects.toThrow(
    /^Java 17 or newer is missing .*apt-get install default-jre-headless.*\.$/,
  )
  expect(findMaven(environment, silent)).rejects.toThrow(
    /^Maven is missing .*apt-get install maven.*\.$/,
  )
  // Where apt has no such package, too.
  stubs.add("sudo", SUDO)
  stubs.add("apt-get", `echo "$*" >> ${stubs.folder}/asked; exit 100`)
  expect(await findJava(environment, silent, "/nowhere").catch((error) => error)).toBeInstanceOf(
    Error,
  )
  expect(await asked(stubs.folder)).toContain("install -y --no-install-recommends openjdk-17")
})
