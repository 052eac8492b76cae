import { seconds } from "../platform/machine/duration.ts"

/** What a finished command said, both streams together, and how it ended. */
export interface Finished {
  /** 0 where all is well; 128 + the signal's number where a signal ended it, as in a shell. */
  status: number
  output: string
  timedOut: boolean
  /** How long it took, in ms. */
  took: number
}

export interface CommandOptions {
  cwd: string
  environment: Record<string, string | undefined>
  /** After so many ms it is killed, with everything it has started. */
  timeout: number
}

/**
 * Runs Bun with these arguments to its end, with no input. It and all its children are one process group, so that none
 * is left over, neither when it is killed nor (`--no-orphans`) when this process is.
 */
export async function run(args: string[], options: CommandOptions): Promise<Finished> {
  const began = performance.now()
  const child = Bun.spawn([process.execPath, "--no-orphans", ...args], {
    cwd: options.cwd,
    env: options.environment,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    detached: true,
  })
  let timedOut = false
  const kill = () => killGroup(child.pid)
  const timer = setTimeout(() => {
    timedOut = true
    kill()
  }, options.timeout)

  let output = ""
  const collect = async (stream: ReadableStream<Uint8Array>) => {
    const decoder = new TextDecoder()
    for await (const chunk of stream) output += decoder.decode(chunk, { stream: true })
  }
  const read = Promise.all([collect(child.stdout), collect(child.stderr)])
  const status = await child.exited
  clearTimeout(timer)
  // Whatever it left running would also hold the streams open.
  kill()
  await read
  return { status, output, timedOut, took: performance.now() - began }
}

/**
 * Says on stderr what is being done and how long it took: `• installing packages … 3.2 s`. On a terminal the seconds
 * are counted meanwhile.
 */
export async function step<T>(label: string, work: () => Promise<T>): Promise<T> {
  const began = performance.now()
  const line = () => `• ${label} … ${seconds(performance.now() - began)}`
  const live = process.stderr.isTTY === true
  const ticker = live ? setInterval(() => process.stderr.write(`\r${line()} `), 100) : undefined
  try {
    return await work()
  } finally {
    clearInterval(ticker)
    process.stderr.write(`${live ? "\r" : ""}${line()}\n`)
  }
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL")
  } catch {
    // Nothing of it is left.
  }
}
