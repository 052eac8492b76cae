import type { EngineProcess } from "./process.ts"

/** When an engine that has ended is started again. */
export interface Timing {
  /** The wait before a restart, in ms: this at first, twice as much each time, up to `longest`. */
  first: number
  longest: number
  /** An engine that has lived so long, in ms, is well again, and the waits begin anew. */
  recovered: number
}

/** How an engine is kept running. */
export interface Keeping {
  /** Takes a line for each end and each start. */
  say(line: string): void
  /** The waits before it is started again. */
  timing: Timing
}

/**
 * The same engine, started again on the same data and port whenever it ends by itself, until it is stopped. As it is
 * where nothing says how.
 */
export function keepRunning(engine: EngineProcess, keeping: Keeping | undefined): EngineProcess {
  if (!keeping) return engine
  const { say, timing } = keeping
  const stopped = Promise.withResolvers<void>()
  let stopping = false
  let again = Promise.withResolvers<void>()

  async function keep(): Promise<void> {
    for (let wait = timing.first; !stopping; wait = Math.min(wait * 2, timing.longest)) {
      const began = performance.now()
      const how = await engine.ended()
      if (stopping) return
      if (performance.now() - began >= timing.recovered) wait = timing.first
      say(`${engine.name} ${how}; starting it again in ${wait} ms`)
      await Promise.race([Bun.sleep(wait), stopped.promise])
      if (stopping) return
      try {
        await engine.restart()
        say(`${engine.name} serves again`)
        again.resolve()
        again = Promise.withResolvers()
      } catch (error) {
        if (!stopping) say((error as Error).message)
      }
    }
  }
  const kept = keep()

  return {
    name: engine.name,
    get pid() {
      return engine.pid
    },
    ended: engine.ended,
    kill: engine.kill,
    freeze: engine.freeze,
    thaw: engine.thaw,
    async restart() {
      const served = again.promise
      await engine.kill()
      await served
    },
    async stop() {
      stopping = true
      stopped.resolve()
      await engine.stop()
      await kept
    },
  }
}
