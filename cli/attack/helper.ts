import { join } from "node:path"
import type { Outcome, Target } from "./attack.ts"
import type { Suffered } from "./pair.ts"

/** Starts a program of this folder that takes calls over IPC, one at a time. */
function startHelper(file: string) {
  let answer = Promise.withResolvers<unknown>()
  const child = Bun.spawn(
    [process.execPath, "--no-orphans", "--no-env-file", join(import.meta.dir, file)],
    {
      env: { ...process.env, NODE_ENV: "production" },
      stdin: "ignore",
      stdout: "inherit",
      stderr: "inherit",
      ipc(message: { result?: unknown; error?: string }) {
        if (message.error === undefined) answer.resolve(message.result)
        else answer.reject(new Error(message.error))
      },
      onExit(_child, code, signal) {
        answer.promise.catch(() => {})
        answer.reject(new Error(`${file} ended: ${signal ?? code}`))
      },
    },
  )
  return {
    call(command: string, argument?: unknown): Promise<unknown> {
      answer = Promise.withResolvers()
      child.send({ command, argument })
      return answer.promise
    },
    async end() {
      child.kill("SIGKILL")
      await child.exited
    },
  }
}

/** The other end of `startHelper`: answers each call with what its command returns. */
export function serve(commands: Record<string, (argument: never) => unknown>): void {
  process.on("message", async ({ command, argument }: { command: string; argument: never }) => {
    try {
      process.send?.({ result: await commands[command]?.(argument) })
    } catch (error) {
      process.send?.({ error: (error as Error).message })
    }
  })
  // The suite is gone: so is the reason to go on.
  process.on("disconnect", () => process.exit(0))
}

/** The pair of innocent people, in a process of its own. */
export async function startBystanders(urls: readonly string[]) {
  const helper = startHelper("bystanders.ts")
  await helper.call("open", urls)
  return {
    begin: () => helper.call("begin"),
    end: () => helper.call("end") as Promise<Suffered>,
    close: () => helper.end(),
  }
}

const SETS_UP_WITHIN = 60_000

/** Carries out one variant in a process of its own, which yields the processor to all others. */
export async function carryOut(attack: string, variant: string, target: Target): Promise<Outcome> {
  const helper = startHelper("attackers.ts")
  const { promise, reject } = Promise.withResolvers<never>()
  const late = target.lasts + SETS_UP_WITHIN
  const timer = setTimeout(() => reject(new Error("the attackers hang")), late)
  try {
    const done = helper.call("run", { attack, variant, target }) as Promise<Outcome>
    return await Promise.race([done, promise])
  } catch (error) {
    return {
      counts: {},
      broken: [`the attack could not be carried out: ${(error as Error).message}`],
    }
  } finally {
    clearTimeout(timer)
    await helper.end()
  }
}
