/**
 * Does something again and again, so many ms after the last time it was done. A failure is told once, until it has
 * succeeded again.
 */
export function every(
  ms: number,
  act: () => Promise<void>,
  onFailure: (error: unknown) => void,
): { stop(): Promise<void> } {
  let stopped = false
  let failing = false
  let timer: Timer | undefined

  async function turn(): Promise<void> {
    try {
      await act()
      failing = false
    } catch (error) {
      if (!failing && !stopped) onFailure(error)
      failing = true
    }
    if (!stopped) timer = setTimeout(again, ms)
  }
  let turning = turn()
  function again(): void {
    turning = turn()
  }

  return {
    /** Resolves once the run under way has ended. */
    async stop() {
      stopped = true
      clearTimeout(timer)
      await turning
    },
  }
}
