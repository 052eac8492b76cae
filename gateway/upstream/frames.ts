import { LINK_FRAME_BYTES } from "@parley/link/limits.ts"
import type { LinkExtensions } from "@parley/link/protocol.ts"
import { isLongerThan } from "@parley/platform/bytes.ts"
import { ParleyError } from "@parley/platform/errors.ts"
import type { Ask } from "./ask.ts"

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

/**
 * What asks a node.
 * @throws ParleyError TOO_LARGE where the node would close the connection for it, which all users share.
 */
export function subscribeFrame(
  subgraph: string,
  id: string,
  { query, operationName, variables }: Ask,
  extensions: LinkExtensions,
): string {
  const payload = { query, operationName, variables, extensions }
  const frame = JSON.stringify({ id, type: "subscribe", payload })
  if (!isLongerThan(frame, LINK_FRAME_BYTES)) return frame
  throw new ParleyError(
    "TOO_LARGE",
    `This asks the ${subgraph} service for too much at once: send a shorter document, or shorter values.`,
  )
}

/** What ends an operation: the node may stop working at it. */
export const completion = (id: string) => `{"id":"${id}","type":"complete"}`
