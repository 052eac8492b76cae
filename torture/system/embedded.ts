import { Database } from "bun:sqlite"
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { claimPorts } from "../../launcher/ports.ts"
import { type StoreLine, textMark } from "../history/format.ts"
import { createClock, type FakeClock } from "./clock.ts"
import { openDisk } from "./disk.ts"
import { httpUrl } from "./loopback.ts"
import { type Kind, type Managed, manage } from "./process.ts"
import { startProxy } from "./proxy.ts"
import type { Names, System } from "./system.ts"

export interface SystemOptions {
  /** The run's folder: data and logs go below it. */
  folder: string
  /** Modules that the chat service loads first: planted bugs. */
  preload: string[]
}

/** What every installation's services are told. */
export function commonEnvironment(publicPort: number): Record<string, string | undefined> {
  return {
    ...process.env,
    NODE_ENV: "production",
    APOLLO_TELEMETRY_DISABLED: "true",
    LOG_LEVEL: "info",
    LINK_SECRET: Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("base64url"),
    PUBLIC_URL: `http://localhost:${publicPort}`,
    MONGODB_URL: undefined,
    KAFKA_BROKERS: undefined,
    // Everyone signs up from this machine.
    SIGNUPS_PER_ADDRESS: "100000",
    GUESSES_PER_ADDRESS: "100000",
  }
}

/**
 * Auth, chat and gateway as `./parley start` runs them, on the embedded engines, with a proxy before each of them.
 * Resolves once they are ready.
 */
export async function startEmbedded({ folder, preload }: SystemOptions): Promise<System> {
  const [authPort = 0, chatPort = 0, gatewayPort = 0] = claimPorts(3)
  const clocks = new Map<string, FakeClock>()
  const services: Managed[] = []
  const [data, logs] = [join(folder, "data"), join(folder, "logs")]
  mkdirSync(data)
  mkdirSync(logs)
  const toAuth = await startProxy(authPort)
  const toChat = await startProxy(chatPort)
  const toGateway = await startProxy(gatewayPort)
  const chatFiles = join(data, "chat-disk")
  const disk = openDisk(chatFiles, () => services.find(({ kind }) => kind === "chat")?.pid)
  const common = commonEnvironment(toGateway.port)

  function start(kind: Kind, environment: Record<string, string>): void {
    const clock = createClock(data, kind)
    clocks.set(kind, clock)
    services.push(
      manage({
        kind,
        name: kind,
        environment: { ...common, HOST: "127.0.0.1", ...clock.environment, ...environment },
        preload: [...clock.preload, ...(kind === "chat" ? preload : [])],
        logFile: join(logs, `${kind}.log`),
      }),
    )
  }
  const authUrl = httpUrl(toAuth.port)
  start("auth", { PORT: String(authPort), DATA_DIR: data })
  start("chat", { PORT: String(chatPort), DATA_DIR: chatFiles, AUTH_URL: authUrl })
  start("gateway", {
    PORT: String(gatewayPort),
    AUTH_URL: authUrl,
    CHAT_URL: httpUrl(toChat.port),
  })

  const stop = async () => {
    await Promise.all(services.map((service) => service.end()))
    for (const proxy of [toAuth, toChat, toGateway]) proxy.stop()
    disk.stop()
  }
  return {
    engines: "embedded",
    gateways: [httpUrl(toGateway.port)],
    services,
    clocks,
    wires: [
      { name: "to auth", proxy: toAuth },
      { name: "to chat", proxy: toChat },
      { name: "to the gateway", proxy: toGateway },
    ],
    disk,
    readStore: async (names) => readSqlite(join(chatFiles, "chat/chat.sqlite"), names),
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

interface EntryRow {
  conversation: string
  seq: number
  author: string
  kind: string
  id: string
  body: string
}

interface MemberRow {
  conversation: string
  user: string
  delivered: number
  read: number
}

/** Every entry and every member of the file, read by its tables alone. */
function readSqlite(file: string, names: Names): StoreLine[] {
  using db = new Database(file, { readonly: true })
  const entries = db.query<EntryRow, []>("SELECT * FROM entries").all()
  const members = db.query<MemberRow, []>("SELECT * FROM members").all()
  return [
    ...entries.map(({ conversation, seq, author, kind, id, body }): StoreLine => {
      const place = { k: "stored", conversation, seq, by: names(author) } as const
      if (kind === "message") return { ...place, message: { id, text: textMark(body) } }
      const { joined, left } = JSON.parse(body) as Record<"joined" | "left", string[]>
      return { ...place, members: { joined: joined.map(names), left: left.map(names) } }
    }),
    ...members.map(
      ({ conversation, user, delivered, read }): StoreLine => ({
        ...{ k: "member", conversation, who: names(user), delivered, read },
      }),
    ),
  ]
}
