/**
 * Asks any one of several equal processes of a service: the one that answered last, and where that fails, the others.
 * Where it begins is up to chance, so that many who ask share them out. Whatever `ask` throws counts as no answer; its
 * signal ends it where its share of the time is over, so that one that hangs is left alone.
 * @param within what all of them together get, in ms
 * @param first the index of the one to begin with
 * @throws the error of the last process asked.
 */
export function failover(
  urls: readonly string[],
  within: number,
  first = Math.floor(Math.random() * urls.length),
): <T>(ask: (url: string, signal: AbortSignal) => Promise<T>) => Promise<T> {
  const share = within / urls.length
  let preferred = first

  return async (ask) => {
    const began = preferred
    let failure: unknown
    for (let tried = 0; tried < urls.length; tried += 1) {
      const index = (began + tried) % urls.length
      try {
        const answer = await ask(urls[index]!, AbortSignal.timeout(share))
        preferred = index
        return answer
      } catch (error) {
        failure = error
      }
    }
    throw failure
  }
}
