import type { Subprocess } from "bun"
import { processTree } from "./processes.ts"

/** A process that serves others. */
export interface Child extends AsyncDisposable {
  name: string
  pid: number
  /** Where it says that it listens. */
  port: number
}

const LISTENS_WITHIN_MS = 60_000
const STOPS_WITHIN_MS = 12_000

const running = new Set<Subprocess>()
// An interrupted run leaves nothing behind.
process.on("exit", () => {
  for (const child of running) child.kill("SIGTERM")
})

/** Starts a process that ends with this one, however this one ends by itself. */
export function spawn(command: string[], environment: Record<string, string | undefined>) {
  const child = Bun.spawn(command, {
    env: { ...process.env, ...environment },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  })
  running.add(child)
  void child.exited.then(() => running.delete(child))
  return child
}

/**
 * Starts a process and resolves once it says `listening <port>`, the first line on stdout. What it writes on stderr is shown only where
 * it does not come up.
 * @throws Error with what it said, where it ends or is silent for 60 s.
 */
export async function startChild(
  name: string,
  command: string[],
  environment: Record<string, string>,
): Promise<Child> {
  const child = spawn(command, environment)
  const said = lastWords(child.stderr)
  try {
    const port = await listening(child)
    return {
      ...{ name, pid: child.pid, port },
      [Symbol.asyncDispose]: () => stop(child),
    }
  } catch (error) {
    await stop(child)
    throw new Error(`${name}: ${(error as Error).message}\n${said()}`)
  }
}

/** The port where a service listens, which is the first thing that it says. */
export async function listening(child: Piped): Promise<number> {
  const [line] = await waitForLine(child, /^.*$/, LISTENS_WITHIN_MS)
  const port = /^listening (\d+)$/.exec(line)?.[1]
  if (!port) throw new Error(`it did not say where it listens, but: ${line}`)
  return Number(port)
}

/** A process of which nothing else reads the stdout. */
type Piped = Pick<Subprocess<"ignore", "pipe", "pipe">, "stdout">

/** The first line on stdout that fits; the stream is read on to its end, so that the process never blocks on it. */
export function waitForLine(
  child: Piped,
  pattern: RegExp,
  withinMs: number,
): Promise<RegExpExecArray> {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error("it did not come up in time")), withinMs)
    const read = async () => {
      let text = ""
      let found = false
      const decoder = new TextDecoder()
      for await (const chunk of child.stdout) {
        if (found) continue
        text += decoder.decode(chunk, { stream: true })
        const lines = text.split("\n")
        text = lines.pop() ?? ""
        const line = lines.map((line) => pattern.exec(line)).find((match) => match !== null)
        if (!line) continue
        found = true
        clearTimeout(late)
        resolve(line)
      }
      clearTimeout(late)
      reject(new Error("it ended before it was ready"))
    }
    void read()
  })
}

/** Keeps the last few kilobytes of a stream that has no other reader. */
export function lastWords(stream: ReadableStream<Uint8Array>): () => string {
  let text = ""
  const read = async () => {
    const decoder = new TextDecoder()
    for await (const chunk of stream) {
      text = (text + decoder.decode(chunk, { stream: true })).slice(-4_096)
    }
  }
  void read()
  return () => text
}

/** Ends a process kindly; whatever is left of it and its children after 12 s is killed. */
export async function stop(child: Subprocess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const family = processTree(child.pid)
  child.kill("SIGTERM")
  const ended = await Promise.race([child.exited, Bun.sleep(STOPS_WITHIN_MS).then(() => "late")])
  if (ended !== "late") return
  for (const { pid } of family) {
    try {
      process.kill(pid, "SIGKILL")
    } catch {
      // It has ended meanwhile.
    }
  }
  await child.exited
}
