import { join } from "node:path"
import { startHelper } from "@parley/testing/helper.ts"
import type { Jobs } from "./jobs.ts"

/** The load generator, in a process of its own: it takes about a core, and must not be counted with the services. */
export interface Load extends AsyncDisposable {
  pid: number
  name: "load"
  run<J extends keyof Jobs>(job: J, args: Args<J>): Promise<Awaited<ReturnType<Jobs[J]>>>
}

type Args<J extends keyof Jobs> = Jobs[J] extends () => unknown ? undefined : Parameters<Jobs[J]>[0]

export async function startLoad(): Promise<Load> {
  const helper = await startHelper(join(import.meta.dir, "main.ts"))
  return { ...helper, name: "load", run: (job, args) => helper.call(job, args) as never }
}
