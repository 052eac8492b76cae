import { expect, setDefaultTimeout, test } from "bun:test"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { openInstallation } from "./fetch.ts"
import { makeStubs, type Stubs } from "./test/stubs.ts"

/** On a busy machine; in ms. */
setDefaultTimeout(120_000)

const FETCHED_WITHIN = 25 * 60_000

/** A Maven that writes down that it was called, and copies what the real one has fetched before. */
async function mavenScript(stubs: Stubs): Promise<string> {
  const { folder } = await openInstallation(process.env, (line) => console.error(`• ${line}`))
  return `
echo called >> ${stubs.folder}/called
for argument; do
  case $argument in -DoutputDirectory=*) target=\${argument#*=} ;; esac
done
mkdir -p "$target"
cp -R ${folder}/lib/. "$target"`
}

const inCacheOf = (stubs: Stubs) => {
  const PATH = `${stubs.path}:${process.env.PATH}`
  return openInstallation({ ...process.env, PATH }, () => {}, join(stubs.folder, "cache"))
}

test(
  "of two that come at once, one fetches; the next finds everything",
  async () => {
    using stubs = makeStubs()
    stubs.add("mvn", await mavenScript(stubs))
    const [first, second] = await Promise.all([inCacheOf(stubs), inCacheOf(stubs)])
    expect(second).toEqual(first)
    expect(await inCacheOf(stubs)).toEqual(first)
    expect(readFileSync(join(stubs.folder, "called"), "utf8")).toBe("called\n")
    for (const jar of first.classPath.split(":")) expect(existsSync(jar)).toBe(true)
    // Nothing is left of how it was made.
    const left = readdirSync(first.folder).map((name) => name.replace(/-[0-9a-f]+\./, "."))
    expect(left.sort()).toEqual(["lib", "main.jar"])
  },
  FETCHED_WITHIN,
)

test(
  "tells what Maven said where it fails, and fetches with the next try",
  async () => {
    using stubs = makeStubs()
    const script = await mavenScript(stubs)
    stubs.add("mvn", "echo '[ERROR] the network is unreachable'; exit 1")
    expect(await inCacheOf(stubs).catch(String)).toBe(
      "Error: The engines could not be fetched; Maven said:\n[ERROR] the network is unreachable",
    )
    stubs.add("mvn", script)
    expect((await inCacheOf(stubs)).classPath).toContain("kafka-clients")
  },
  FETCHED_WITHIN,
)
