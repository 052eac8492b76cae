/**
 * Asks any one of several equal processes of a service: the one that answered last, and where that fails, the others
 * one after the other. Whatever `ask` throws counts as no answer.
 * @throws what the last one came to.
 */
export function createEquals(
  urls: readonly string[],
): <T>(ask: (url: string) => Promise<T>) => Promise<T> {
  let first = 0

  return async (ask) => {
    const began = first
    let failure: unknown
    for (let tried = 0; tried < urls.length; tried += 1) {
      const index = (began + tried) % urls.length
      try {
        const answer = await ask(urls[index]!)
        first = index
        return answer
      } catch (error) {
        failure = error
      }
    }
    throw failure
  }
}
