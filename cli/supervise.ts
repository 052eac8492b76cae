import type { Timing } from "../engines/keep.ts"
import { ROOT } from "../platform/machine/root.ts"
import { eachLine, type Relay } from "./relay.ts"

export interface Service {
  name: string
  /** What Bun is to run, relative to the clone. */
  script: string
  environment: Record<string, string | undefined>
}

/** A service that is started again whenever it ends by itself. */
export interface Supervised {
  name: string
  /**
   * Resolves once it listens for the first time; rejects where it ended with a status of its own before that: then
   * starting it again would not help.
   */
  listening: Promise<void>
  /** The present process; undefined while there is none. */
  readonly pid: number | undefined
  /** Asks it to stop, and resolves once it has ended. It is not started again. */
  stop(): Promise<void>
  /** Ends it at once, with everything it has started. */
  kill(): void
}

export const TIMING: Timing = { first: 100, longest: 5_000, recovered: 30_000 }

const LISTENING = /^listening (\d+)$/

/** Starts a service and keeps it running; what it says goes to the relay. */
export function supervise(service: Service, relay: Relay, timing = TIMING): Supervised {
  const { name } = service
  const say = (text: string) => relay.line("parley", text)
  const firstTime = Promise.withResolvers<void>()
  // The caller that starts the system awaits it; a stop in between must not count as an unhandled rejection.
  firstTime.promise.catch(() => {})
  const stopped = Promise.withResolvers<void>()
  let stopping = false
  let child: ReturnType<typeof spawn> | undefined
  let everListened = false

  function onOutput(line: string): void {
    if (LISTENING.test(line)) {
      everListened = true
      firstTime.resolve()
    } else {
      relay.line(name, line)
    }
  }

  async function live(): Promise<void> {
    let wait = timing.first
    while (!stopping) {
      const began = performance.now()
      child = spawn(service)
      void eachLine(child.stdout, onOutput)
      void eachLine(child.stderr, (line) => relay.line(name, line))
      const status = await child.exited
      const how = child.signalCode ? `was ended by ${child.signalCode}` : `ended: status ${status}`
      const bySignal = child.signalCode !== null
      child = undefined
      if (stopping) return
      if (!everListened && !bySignal) return firstTime.reject(new Error(`${name} ${how}`))
      if (performance.now() - began >= timing.recovered) wait = timing.first
      say(`${name} ${how}; starting it again in ${wait} ms`)
      await Promise.race([Bun.sleep(wait), stopped.promise])
      wait = Math.min(wait * 2, timing.longest)
    }
  }
  const lived = live()

  return {
    name,
    listening: firstTime.promise,
    get pid() {
      return child?.pid
    },
    async stop() {
      stopping = true
      stopped.resolve()
      child?.kill("SIGTERM")
      await lived
    },
    kill() {
      if (!child) return
      say(`${name} does not stop, and is killed`)
      try {
        process.kill(-child.pid, "SIGKILL")
      } catch {
        // It has ended this very moment.
      }
    },
  }
}

/**
 * Each service leads a process group of its own, so that Ctrl-C reaches the launcher alone, which stops them in order.
 * `--no-orphans`: whatever happens to the launcher, no service outlives it, and nothing that a service started outlives
 * the service.
 */
const spawn = ({ script, environment }: Service) =>
  Bun.spawn([process.execPath, "--no-orphans", "--no-env-file", "--no-install", script], {
    cwd: ROOT,
    env: environment,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    detached: true,
  })
