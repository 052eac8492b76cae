import { connect, type Socket } from "node:net"
import type { Attack, Target, Variant } from "../attack.ts"
import { flood, Tally } from "../flood.ts"
import { codeIn, openLine } from "../line.ts"
import { createGroup, LARGE, sendText, signUp } from "../people.ts"
import { openUnread, textFrame } from "../unread.ts"

const MANY = 400

/** Connections that say only so much, and then wait. */
const raw = (name: string, says: string): Variant => ({
  name,
  async run({ urls, lasts }: Target) {
    const tally = new Tally()
    const { hostname, port } = new URL(urls[0]!)
    const open = new Set<Socket>()
    for (let i = 0; i < MANY; i++) {
      const socket = connect({ host: hostname, port: Number(port) })
      open.add(socket)
      socket.on("error", () => tally.count("error"))
      socket.on("close", () => {
        tally.count("closed by the server")
        open.delete(socket)
      })
      socket.write(says)
    }
    await Bun.sleep(lasts)
    tally.count("open in the end", open.size)
    for (const socket of open) {
      socket.removeAllListeners("close")
      socket.destroy()
    }
    return tally
  },
})

const manySubscriptions: Variant = {
  name: "10,000 subscriptions",
  async run({ urls, lasts }) {
    const tally = new Tally()
    const { client } = await signUp(urls[0]!)
    const line = await openLine({ url: urls[0]!, address: client.address, token: client.token })
    for (let i = 0; i < 10_000; i++) {
      line.subscribe(
        "subscription { events { __typename } }",
        {},
        {
          next: () => tally.count("events"),
          over: (why) => tally.count(codeIn(why) ?? why.slice(0, 4)),
        },
      )
    }
    await Bun.sleep(lasts)
    line.hangUp()
    tally.expect(tally.of("events") <= 1_000, `${tally.of("events")} subscriptions of one socket`)
    return tally
  },
}

const churn: Variant = {
  name: "subscriptions that come and go",
  async run({ urls, lasts }) {
    const tally = new Tally()
    const { client } = await signUp(urls[0]!)
    const { address, token } = client
    const line = await openLine({ url: urls[0]!, address, token })
    await flood({ lasts, atOnce: 50, perSecond: 2_000 }, async () => {
      const id = line.subscribe(
        "subscription { events(after: []) { __typename } }",
        {},
        {
          next() {},
          over: (why) => tally.count(codeIn(why) ?? why.slice(0, 4)),
        },
      )
      line.send({ id, type: "complete" })
      tally.count("begun")
    })
    line.hangUp()
    return tally
  },
}

const manySockets: Variant = {
  name: "sockets that come and go",
  async run({ urls, lasts }) {
    const tally = new Tally()
    const { client } = await signUp(urls[0]!)
    const { address, token } = client
    await flood({ lasts, atOnce: 40, atMost: 4_000 }, async () => {
      try {
        const line = await openLine({ url: urls[0]!, address, token })
        tally.count("opened")
        line.hangUp()
      } catch (error) {
        tally.count((error as Error).message.slice(0, 4))
        await Bun.sleep(50)
      }
    })
    return tally
  },
}

const unread: Variant = {
  name: "readers that do not read",
  async run({ urls, lasts }) {
    const tally = new Tally()
    const url = urls[0]!
    const [owner, other] = [await signUp(url), await signUp(url)]
    const group = await createGroup(owner, [other.id])
    const query = "subscription { events { ... on MessageSent { message { text } } } }"
    const open: Socket[] = []
    for (let i = 0; i < 40; i++) {
      const socket = await openUnread(url, owner.client, query)
      socket.on("close", () => tally.count("closed"))
      open.push(socket)
    }
    await flood({ lasts, atOnce: 4, perSecond: 40 }, async () => {
      const reply = await sendText(other, group, LARGE)
      tally.count(reply.code ?? "sent")
      if (reply.code) await Bun.sleep(100)
    })
    for (const socket of open) socket.destroy()
    return tally
  },
}

/** Frames by hand, from eight sockets, with so many ms between two writes: pings, and frames far over the limit. */
const frames = (name: string, frame: () => Buffer, every: number): Variant => ({
  name,
  async run({ urls, lasts }) {
    const tally = new Tally()
    const { client } = await signUp(urls[0]!)
    await flood({ lasts, atOnce: 8 }, async () => {
      const socket = await openUnread(urls[0]!, client, "subscription { events { __typename } }")
      socket.resume()
      let closed = false
      socket.on("close", () => {
        closed = true
        tally.count("closed")
      })
      const until = performance.now() + 1_000
      while (!closed && performance.now() < until) {
        tally.count("frames")
        const drained = socket.write(frame())
        // The kernel takes no more for now.
        if (!drained)
          await Promise.race([
            new Promise((resolve) => socket.once("drain", resolve)),
            Bun.sleep(200),
          ])
        else await Bun.sleep(every)
      }
      socket.destroy()
    })
    return tally
  },
})

/** As many as a machine can send: some millions a second. */
const PINGS = Buffer.concat(Array.from({ length: 5_000 }, () => textFrame("", 9)))

export const sockets: Attack = {
  name: "sockets",
  by: "stranger",
  with: "400 connections that say nothing, or half; 10,000 subscriptions; readers that do not read; floods of pings; frames of 8 MB",
  expected:
    "they are closed (1009, 1013), refused (`RATE_LIMITED`) or left to wait, and no other user notices",
  variants: [
    raw("idle connections", ""),
    raw("half a header", "POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Le"),
    raw(
      "half a body",
      "POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 200000\r\n\r\n{",
    ),
    manySubscriptions,
    churn,
    manySockets,
    unread,
    frames("pings", () => PINGS, 1),
    frames("frames of 8 MB", () => textFrame("x".repeat(8 * 2 ** 20)), 1),
  ],
}
