import { createWriteStream, type WriteStream } from "node:fs"
import { inRoot, ROOT } from "../../../platform/machine/root.ts"

export type Kind = "auth" | "chat" | "gateway"

export interface ProcessOptions {
  kind: Kind
  /** Told apart from the others of its kind. */
  name: string
  environment: Record<string, string | undefined>
  /** Modules that Bun loads before the service. */
  preload: string[]
  /** Takes what it says. */
  logFile: string
}

/**
 * A service's process that the nemesis may do anything to: whenever it ends, it is started again. The launcher's own
 * supervisor, cli/supervise.ts, is a thing under test elsewhere, and freezes nothing, loads no bug and tells no status.
 */
export interface Managed {
  readonly kind: Kind
  readonly name: string
  readonly pid: number | undefined
  /** Resolves once it listens; at once where it does. Rejects where it has never listened, and ended by itself. */
  listening(): Promise<void>
  /** SIGKILL; resolves once it is gone. It comes back by itself. */
  kill(): Promise<void>
  /** SIGTERM; resolves once it has ended, with its status (a signal's number and 128 where it had to be killed). */
  terminate(): Promise<number>
  freeze(): void
  thaw(): void
  /** Ends it for good. */
  end(): Promise<void>
}

/** As fast as the launcher does it the first time, in ms. */
const RESTART_AFTER = 100
/** Longer than a service gives itself to stop, in ms. */
const STOP_WITHIN = 12_000

/**
 * A write beyond RLIMIT_FSIZE is to be an error, as on a full disk, and not a signal that ends the process: what is
 * ignored here stays ignored in what is executed.
 */
const IGNORING_XFSZ = ["/bin/sh", "-c", 'trap "" XFSZ; exec "$@"', "sh"]

/** Starts a service's `main.ts`, and keeps it running. */
export function manage(options: ProcessOptions): Managed {
  const { kind, name, preload } = options
  const log: WriteStream = createWriteStream(options.logFile, { flags: "a" })
  let child: Bun.Subprocess<"ignore", "pipe", "pipe"> | undefined
  let ending = false
  let up = Promise.withResolvers<void>()
  let everUp = false
  // It may fail before a caller awaits it.
  const failed = Promise.withResolvers<never>()
  failed.promise.catch(() => {})

  function spawn() {
    const preloads = preload.flatMap((file) => ["--preload", file])
    return Bun.spawn(
      [
        ...IGNORING_XFSZ,
        ...[process.execPath, "--no-orphans", "--no-env-file", "--no-install", ...preloads],
        inRoot(`${kind}/main.ts`),
      ],
      {
        cwd: ROOT,
        env: options.environment,
        stdin: "ignore",
        stdout: "pipe",
        stderr: "pipe",
        detached: true,
      },
    )
  }

  async function hear(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder()
    for await (const chunk of stream) {
      const text = decoder.decode(chunk, { stream: true })
      log.write(text)
      if (!/^listening \d+$/m.test(text)) continue
      everUp = true
      up.resolve()
    }
  }

  async function live(): Promise<void> {
    while (!ending) {
      child = spawn()
      log.write(`--- ${name} is process ${child.pid}\n`)
      await Promise.all([hear(child.stdout), hear(child.stderr), child.exited])
      log.write(`--- ${name} ended: ${child.signalCode ?? `status ${child.exitCode}`}\n`)
      const hasFailed = !everUp && child.exitCode
      child = undefined
      if (hasFailed) failed.reject(new Error(`${name} does not start: see ${options.logFile}`))
      // A caller that still waits for it to listen waits for the next one.
      const former = up
      up = Promise.withResolvers()
      former.resolve()
      if (!ending) await Bun.sleep(RESTART_AFTER)
    }
    log.end()
  }
  const lived = live()

  const signal = (which: NodeJS.Signals) => child?.kill(which)
  /** A frozen process hears no signal but SIGKILL. */
  async function finish(which: "SIGTERM" | "SIGKILL"): Promise<number> {
    const ended = child
    if (!ended) return 0
    ended.kill(which)
    ended.kill("SIGCONT")
    const timer = setTimeout(() => ended.kill("SIGKILL"), STOP_WITHIN)
    const status = await ended.exited
    clearTimeout(timer)
    return status
  }

  return {
    kind,
    name,
    get pid() {
      return child?.pid
    },
    async listening() {
      // The process that was waited for may have ended meanwhile.
      for (let awaited = up; ; awaited = up) {
        await Promise.race([awaited.promise, failed.promise])
        if (awaited === up) return
      }
    },
    async kill() {
      await finish("SIGKILL")
    },
    terminate: () => finish("SIGTERM"),
    freeze: () => void signal("SIGSTOP"),
    thaw: () => void signal("SIGCONT"),
    async end() {
      ending = true
      await finish("SIGTERM")
      await lived
    },
  }
}
