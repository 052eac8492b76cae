const NEXT_START = '{"id":"'
const NEXT_MARK = '","type":"next","payload":'

/**
 * Takes a plain `next` frame apart without parsing its payload, which is most of it and often goes on as it is. Relies
 * on the order of keys in which graphql-ws writes them; undefined for every other frame.
 */
export function readNext(frame: string): { id: string; payload: string } | undefined {
  if (!frame.startsWith(NEXT_START)) return undefined
  const end = frame.indexOf('"', NEXT_START.length)
  if (!frame.startsWith(NEXT_MARK, end)) return undefined
  return {
    id: frame.slice(NEXT_START.length, end),
    payload: frame.slice(end + NEXT_MARK.length, -1),
  }
}
