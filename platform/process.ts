import { ConfigError } from "./config.ts"
import type { Logger } from "./log.ts"

/** A started service: where it listens and how it ends. */
export interface Running {
  port: number
  /** Stops taking work, finishes what it has begun, closes what it holds. Safe to call once. */
  stop(): Promise<void>
}

/** Errors of a server that cannot have its port: it is taken, not allowed, or at an address of another machine. */
const REFUSED = ["EADDRINUSE", "EACCES", "EADDRNOTAVAIL"]

/** Makes a server listen, or releases its resources. @throws ConfigError where the port cannot be had. */
export async function listenOr(release: () => unknown, listen: () => unknown): Promise<void> {
  try {
    listen()
  } catch (error) {
    await release()
    const { code = "", message } = error as NodeJS.ErrnoException
    throw REFUSED.includes(code) ? new ConfigError(`PORT cannot be used: ${message}`) : error
  }
}

/** Longer than any request in flight, shorter than the 10 s after which the launcher kills. */
const STOP_WITHIN_MS = 8_000

/**
 * Runs a service as a process of its own: says on stdout where it listens (`listening <port>`), stops on SIGTERM and
 * SIGINT with status 0, and answers a bad setting with one sentence and status 1.
 */
export async function runProcess(log: Logger, start: () => Promise<Running>): Promise<void> {
  let running: Running
  try {
    running = await start()
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    process.stderr.write(`${error.message}\n`)
    process.exit(1)
  }
  process.stdout.write(`listening ${running.port}\n`)

  const stop = async (signal: string) => {
    log.info("stopping", { signal })
    setTimeout(() => process.exit(1), STOP_WITHIN_MS).unref()
    await running.stop()
    process.exit(0)
  }
  process.once("SIGTERM", stop)
  process.once("SIGINT", stop)
}
