import { plugin } from "bun"
import type { Bug, Patch } from "./bug.ts"
import { BUGS } from "./catalogue.ts"
import { patched } from "./patched.ts"

/**
 * Loaded before a service (`--preload`): makes the bug that `TORTURE_BUG` names in its sources as they are read, for
 * the engines that `TORTURE_ENGINES` names. The files themselves stay as they are, and know nothing of it.
 */
const { TORTURE_BUG: name, TORTURE_ENGINES: engines } = process.env
const bug = BUGS.find((bug) => bug.name === name)
const patches: Patch[] | undefined = bug?.patches[engines as keyof Bug["patches"]]
if (!patches) throw new Error(`there is no bug "${name}" to plant on ${engines}`)
const sources = patched(patches)

plugin({
  name: "planted bug",
  setup(build) {
    for (const [path, contents] of sources) {
      const exactly = new RegExp(`^${path.replaceAll(/[.\\/]/g, "\\$&")}$`)
      build.onLoad({ filter: exactly }, () => ({ contents, loader: "ts" }))
    }
  },
})
