import { FEEDS_PER_PASS } from "../limits.ts"

/**
 * Has one leave many places, a few in each turn of the event loop: the first of them at once.
 * @param exit leaves one place.
 */
export function createLeaving<Who, Place>(
  exit: (who: Who, place: Place) => void,
): (who: Who, places: Iterable<Place>) => void {
  const leaving: { who: Who; places: Iterator<Place> }[] = []

  function leaveSome(): void {
    for (let exits = 0; exits < FEEDS_PER_PASS; ) {
      const [first] = leaving
      if (!first) return
      const { done, value } = first.places.next()
      if (done) leaving.shift()
      else {
        exit(first.who, value)
        exits += 1
      }
    }
    setImmediate(leaveSome)
  }

  return (who, places) => {
    if (leaving.push({ who, places: places[Symbol.iterator]() }) === 1) leaveSome()
  }
}
