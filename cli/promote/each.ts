/** How much is under way at a time: enough to hide the way to a server and back. */
const AT_ONCE = 16

/** Does something for each of many, several at a time. The first failure ends it: nothing more is begun. */
export async function forEach<T>(
  items: readonly T[],
  work: (item: T) => Promise<void>,
): Promise<void> {
  const queue = items.values()
  let failed = false
  const worker = async () => {
    for (const item of queue) {
      if (failed) return
      await work(item).catch((error) => {
        failed = true
        throw error
      })
    }
  }
  const workers = await Promise.allSettled(Array.from({ length: AT_ONCE }, worker))
  for (const result of workers) if (result.status === "rejected") throw result.reason
}
