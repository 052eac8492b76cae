import { join } from "node:path"
import type { Jobs } from "./jobs.ts"

/** The load generator, in a process of its own: it takes about a core, and must not be counted with the services. */
export interface Load extends AsyncDisposable {
  pid: number
  name: "load"
  run<J extends keyof Jobs>(job: J, args: Args<J>): Promise<Awaited<ReturnType<Jobs[J]>>>
}

type Args<J extends keyof Jobs> = Jobs[J] extends () => unknown ? undefined : Parameters<Jobs[J]>[0]

interface Answer {
  result?: unknown
  error?: string
}

export async function startLoad(): Promise<Load> {
  let answer = Promise.withResolvers<unknown>()
  const child = Bun.spawn(
    [process.execPath, "--no-orphans", "--no-env-file", join(import.meta.dir, "main.ts")],
    {
      env: { ...process.env, NODE_ENV: "production" },
      stdin: "ignore",
      stdout: "inherit",
      stderr: "inherit",
      ipc(message: Answer) {
        if (message.error === undefined) answer.resolve(message.result)
        else answer.reject(new Error(message.error))
      },
      onExit(_child, code, signal) {
        answer.promise.catch(() => {})
        answer.reject(new Error(`The load process ended: ${signal ?? code}.`))
      },
    },
  )
  await answer.promise

  return {
    pid: child.pid,
    name: "load",
    async run(job, args) {
      answer = Promise.withResolvers()
      child.send({ job, args })
      return (await answer.promise) as never
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL")
      await child.exited
    },
  }
}
