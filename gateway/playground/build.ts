import { mkdir, rename, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"

const SOURCES = [
  "client.ts",
  "examples.ts",
  "playground.css",
  "schema.graphql",
  "build.ts",
  "../package.json",
]
export const ASSETS = ["playground.js", "playground.css"] as const

/** Where what is built is kept: named after what it is built from, so that nothing old is ever served. */
async function folders(): Promise<string[]> {
  const hash = new Bun.CryptoHasher("sha256")
  for (const source of SOURCES) hash.update(await Bun.file(join(import.meta.dir, source)).bytes())
  const name = `playground-${hash.digest("hex").slice(0, 16)}`
  // An installation that cannot be written to keeps it in the system's temporary folder.
  return [resolve(import.meta.dir, "../../.parley", name), join(tmpdir(), `parley-${name}`)]
}

const isBuilt = async (folder: string) =>
  (await Promise.all(ASSETS.map((name) => Bun.file(join(folder, name)).exists()))).every(Boolean)

/**
 * Bundles GraphiQL and what we add to it into files of our own, which takes a second or two, unless that was done
 * before. Needs no network.
 * @returns the folder that holds ASSETS.
 */
export async function buildPlayground(): Promise<string> {
  const candidates = await folders()
  for (const folder of candidates) if (await isBuilt(folder)) return folder
  let failure: unknown
  for (const folder of candidates) {
    try {
      await buildInto(folder)
      return folder
    } catch (error) {
      failure = error
    }
  }
  throw failure
}

async function buildInto(folder: string): Promise<void> {
  // Built beside its place and moved there whole: two processes may do this at the same time.
  const scratch = `${folder}.${process.pid}`
  await mkdir(scratch, { recursive: true })
  try {
    const { success, logs } = await Bun.build({
      entrypoints: [join(import.meta.dir, "client.ts")],
      outdir: scratch,
      naming: { entry: "playground.[ext]", asset: "playground-[hash].[ext]" },
      target: "browser",
      minify: true,
      define: { "process.env.NODE_ENV": '"production"' },
    })
    if (!success) throw new AggregateError(logs, "The playground could not be bundled.")
    await rename(scratch, folder)
  } catch (error) {
    await rm(scratch, { recursive: true, force: true })
    if (!(await isBuilt(folder))) throw error
  }
}

// The gateway runs this as a process of its own, so that bundling takes neither its time nor its memory.
if (import.meta.main) process.stdout.write(await buildPlayground())
