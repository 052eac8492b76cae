import { closeSync, existsSync, openSync, readdirSync, readFileSync } from "node:fs"

/** An engine's process: what a test does to it, and how it ends. */
export interface EngineProcess {
  /** Its name. */
  readonly name: string
  /** Of the engine itself; another one after each restart. */
  readonly pid: number
  /** Resolves once the present process has ended, with how it did. */
  ended(): Promise<string>
  /** SIGKILL; resolves once it is gone. */
  kill(): Promise<void>
  /** SIGSTOP: it holds its sockets and answers nothing. */
  freeze(): void
  thaw(): void
  /** Starts it anew on what it has kept, after ending it where it still runs. Resolves once it serves. */
  restart(): Promise<void>
  /** SIGTERM, and SIGKILL where that takes too long, and where it is about to serve. Nothing of it is left then. */
  stop(): Promise<void>
}

export interface EngineOptions {
  /** Its name in errors. */
  name: string
  /** It has to print a line `ready` on stdout once it serves. */
  command: string[]
  /** Takes what it prints on stderr, appended. */
  logFile: string
  /** A folder that is of no use once this process is gone, however it goes. */
  scratch?: string
}

/** What a shell adds to the number of the signal that ended its child. */
const SIGNALLED = 128
/** Longer than the slowest start on a busy machine, in ms. */
const READY_WITHIN = 120_000
/** An engine has ended well or does not end by itself, in ms. */
const STOP_WITHIN = 15_000

/**
 * Stands between this process and the engine: tells the engine's pid, ends when the engine does, and kills it when this
 * process is gone, which closes the pipe that is its stdin. The engine cannot do that itself, for it may be frozen; nor
 * can this process's own child, for the system may be told to kill that at the same time. Hence the inner shell.
 */
const WATCHDOG = `
scratch=$1
shift
exec 3<&0
(
  "$@" </dev/null 3<&- &
  engine=$!
  # The shell would tell the engine's log of who was killed.
  exec 2>/dev/null
  echo "pid $engine"
  {
    while read -r _; do :; done
    trap "" TERM
    kill -9 $engine
  } <&3 >/dev/null &
  watch=$!
  wait $engine
  status=$?
  kill $watch
  if wait $watch && [ -n "$scratch" ]; then rm -rf "$scratch"; fi
  exit $status
) &
wait $!
`

/**
 * Starts an engine in a session of its own, so that Ctrl-C reaches the launcher, which stops engines in the right order, and not the engine.
 * @throws Error with the end of its log where it does not come to serve
 */
export async function startEngine(options: EngineOptions): Promise<EngineProcess> {
  let engine = await launch(options)
  let starting: Promise<Launched> | undefined
  const closed = new AbortController()

  async function end(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    if (engine.child.exitCode !== null || engine.child.signalCode !== null) return
    send(engine.pid, signal)
    // A frozen one would only hear of SIGTERM later.
    send(engine.pid, "SIGCONT")
    const timer = setTimeout(() => send(engine.pid, "SIGKILL"), STOP_WITHIN)
    await engine.child.exited
    clearTimeout(timer)
  }

  return {
    name: options.name,
    get pid() {
      return engine.pid
    },
    async ended() {
      const status = await engine.child.exited
      return status > SIGNALLED
        ? `was ended by signal ${status - SIGNALLED}`
        : `ended: status ${status}`
    },
    kill: () => end("SIGKILL"),
    freeze() {
      send(engine.pid, "SIGSTOP")
      const since = performance.now()
      while (!isStopped(engine.pid) && performance.now() - since < STOP_WITHIN) Bun.sleepSync(1)
    },
    thaw: () => send(engine.pid, "SIGCONT"),
    async restart() {
      await end("SIGTERM")
      if (closed.signal.aborted) throw new Error(`${options.name} has been stopped.`)
      starting = launch(options, closed.signal)
      engine = await starting
    },
    async stop() {
      closed.abort()
      await starting?.catch(() => {})
      await end(options.scratch ? "SIGKILL" : "SIGTERM")
    },
  }
}

/** Whether every thread has stopped: a signal takes a moment to reach those that run. */
function isStopped(pid: number): boolean {
  const tasks = `/proc/${pid}/task`
  // Only Linux says so; elsewhere the moment is short, too.
  if (!existsSync(tasks)) return true
  const state = (task: string) => {
    try {
      return /\) (\S)/.exec(readFileSync(`${tasks}/${task}/stat`, "utf8"))?.[1]
    } catch {
      return "X"
    }
  }
  return readdirSync(tasks).every((task) => /[TtXZ]/.test(state(task) ?? "X"))
}

interface Launched {
  child: Bun.Subprocess<"pipe", "pipe", number>
  pid: number
}

async function launch(options: EngineOptions, stop?: AbortSignal): Promise<Launched> {
  const log = openSync(options.logFile, "a")
  const child = Bun.spawn(
    ["/bin/sh", "-c", WATCHDOG, "sh", options.scratch ?? "", ...options.command],
    { stdin: "pipe", stdout: "pipe", stderr: log, detached: true },
  )
  closeSync(log)
  // The watchdog kills it then.
  const abandon = () => void child.stdin.end()
  stop?.addEventListener("abort", abandon)

  // Either of the two may come first.
  let pid: number | undefined
  let ready = false
  let timedOut = false
  const timer = setTimeout(() => {
    timedOut = true
    if (pid !== undefined) send(pid, "SIGKILL")
  }, READY_WITHIN)
  const lines = linesOf(child.stdout)
  try {
    for (let line = await lines.next(); !line.done; line = await lines.next()) {
      if (line.value.startsWith("pid ")) pid = Number(line.value.slice(4))
      if (line.value === "ready") ready = true
      if (!ready || pid === undefined) continue
      void drain(lines)
      return { child, pid }
    }
  } finally {
    clearTimeout(timer)
    stop?.removeEventListener("abort", abandon)
  }
  const status = await child.exited
  const how = timedOut ? `was not ready in ${READY_WITHIN / 1000} s` : `ended with status ${status}`
  throw new Error(`${options.name} ${how}; its log ends so:\n${endOf(options.logFile)}`)
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string, void> {
  const decoder = new TextDecoder()
  let rest = ""
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n")
    rest = lines.pop() ?? ""
    yield* lines
  }
}

/** Reads the rest of a pipe: a full one would block the engine that writes into it. */
async function drain(lines: AsyncGenerator<string, void>): Promise<void> {
  while (!(await lines.next()).done);
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error
  }
}

const endOf = (file: string) =>
  readFileSync(file, "utf8").trimEnd().split("\n").slice(-15).join("\n")
