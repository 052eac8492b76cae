/** A process that carries out the commands of a file, one call at a time: it shares no thread with its caller. */
export interface Helper extends AsyncDisposable {
  pid: number
  call(command: string, argument?: unknown): Promise<unknown>
}

interface Answer {
  result?: unknown
  error?: string
}

/** Starts a file that calls `serve`, and resolves once it does. */
export async function startHelper(file: string): Promise<Helper> {
  let answer = Promise.withResolvers<unknown>()
  const child = Bun.spawn([process.execPath, "--no-orphans", "--no-env-file", file], {
    env: { ...process.env, NODE_ENV: "production" },
    stdin: "ignore",
    stdout: "inherit",
    stderr: "inherit",
    ipc({ result, error }: Answer) {
      if (error === undefined) answer.resolve(result)
      else answer.reject(new Error(error))
    },
    onExit(_child, code, signal) {
      answer.promise.catch(() => {})
      answer.reject(new Error(`${file} ended: ${signal ?? code}`))
    },
  })
  await answer.promise
  return {
    pid: child.pid,
    call(command, argument) {
      answer = Promise.withResolvers()
      child.send({ command, argument })
      return answer.promise
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL")
      await child.exited
    },
  }
}

/** The other end: answers each call with what its command returns, and ends with the process that started it. */
export function serve(commands: Record<string, (argument: never) => unknown>): void {
  process.on("message", async ({ command, argument }: { command: string; argument: never }) => {
    try {
      process.send?.({ result: await commands[command]?.(argument) })
    } catch (error) {
      process.send?.({ error: (error as Error).message })
    }
  })
  process.on("disconnect", () => process.exit(0))
  process.send?.({ result: "ready" })
}
