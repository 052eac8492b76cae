import { connect, type Socket } from "node:net"
import type { Client } from "./client.ts"

/**
 * A socket whose client subscribes and then reads nothing any more, frames written by hand (RFC 6455): Bun's own
 * WebSocket always reads.
 */
export async function openUnread(url: string, client: Client, query: string): Promise<Socket> {
  const { hostname, port } = new URL(url)
  const socket = connect({ host: hostname, port: Number(port) })
  socket.on("error", () => {})
  await new Promise((resolve) => socket.once("connect", resolve))
  socket.write(
    [
      "GET /graphql HTTP/1.1",
      `Host: ${hostname}:${port}`,
      "Upgrade: websocket",
      "Connection: Upgrade",
      "Sec-WebSocket-Version: 13",
      `Sec-WebSocket-Key: ${Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString("base64")}`,
      "Sec-WebSocket-Protocol: graphql-transport-ws",
      `X-Forwarded-For: ${client.address}`,
      "\r\n",
    ].join("\r\n"),
  )
  await new Promise((resolve) => socket.once("data", resolve))
  const payload = { authorization: `Bearer ${client.token}` }
  socket.write(textFrame(JSON.stringify({ type: "connection_init", payload })))
  await new Promise((resolve) => socket.once("data", resolve))
  socket.pause()
  socket.write(textFrame(JSON.stringify({ id: "1", type: "subscribe", payload: { query } })))
  return socket
}

/** A masked text frame of a client. */
export function textFrame(text: string, opcode = 1): Buffer {
  const payload = Buffer.from(text)
  const mask = crypto.getRandomValues(new Uint8Array(4))
  const head =
    payload.length < 126
      ? Buffer.from([0x80 | opcode, 0x80 | payload.length])
      : payload.length < 65_536
        ? Buffer.from([0x80 | opcode, 0xfe, payload.length >> 8, payload.length & 255])
        : Buffer.alloc(10)
  if (head.length === 10) {
    head[0] = 0x80 | opcode
    head[1] = 0xff
    head.writeBigUInt64BE(BigInt(payload.length), 2)
  }
  const masked = payload.map((byte, index) => byte ^ mask[index % 4]!)
  return Buffer.concat([head, mask, masked])
}
