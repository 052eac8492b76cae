import { CLOSE } from "@parley/link/close-codes.ts"
import type { Server } from "graphql-ws"
import type { FairUse } from "./limits/fair-use.ts"
import type { Extra } from "./socket.ts"

/**
 * The same protocol, which reads no more frames of a person, or of an address without a login, than fair use admits: a
 * ping is cheap, and a million of them a second are not. Long ones count as several. Control frames of the WebSocket count
 * as well. The socket of one frame too many is closed with 1013.
 */
export const admitFrames = (
  protocol: Server<Extra>,
  fairUse: Pick<FairUse, "admits">,
): Server<Extra> => ({
  opened(connection, extra) {
    const { client, socket } = extra
    let isOver = false
    function admits(characters: number): boolean {
      if (isOver) return false
      if (fairUse.admits(client.payer, characters)) return true
      isOver = true
      connection.close(CLOSE.tryAgainLater, "Too many frames")
      return false
    }
    socket.data.ping = socket.data.pong = () => void admits(0)
    const onMessage: typeof connection.onMessage = (handle) =>
      connection.onMessage((frame) => (admits(frame.length) ? handle(frame) : Promise.resolve()))
    return protocol.opened({ ...connection, onMessage }, extra)
  },
})
