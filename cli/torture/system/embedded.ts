import { Database } from "bun:sqlite"
import { join } from "node:path"
import { type StoreLine, textMark } from "../history/format.ts"
import { openDisk } from "./disk.ts"
import { claim, Kit, type SystemOptions } from "./kit.ts"
import type { Names, System } from "./system.ts"

/**
 * Auth, chat and gateway as `./parley start` runs them, on the embedded engines, with a proxy before each of them. Chat
 * keeps its data on a disk that can be full.
 */
export async function startEmbedded(options: SystemOptions): Promise<System> {
  const kit = new Kit(options, "embedded")
  const [authPort = 0, chatPort = 0, gatewayPort = 0] = claim(3)
  const [authUrl = ""] = await kit.before("auth", [authPort])
  const [chatUrl = ""] = await kit.before("chat", [chatPort])
  const gateways = await kit.before("gateway", [gatewayPort])
  const chatPid = () => kit.services.find(({ kind }) => kind === "chat")?.pid
  const disk = openDisk(join(kit.data, "disk"), chatPid)

  kit.start("auth", "auth", authPort, { DATA_DIR: kit.data })
  kit.start("chat", "chat", chatPort, { DATA_DIR: disk.folder, AUTH_URL: authUrl })
  kit.start("gateway", "gateway", gatewayPort, { AUTH_URL: authUrl, CHAT_URL: chatUrl })

  const stop = async () => {
    await kit.stop()
    await disk.stop()
  }
  return {
    engines: "embedded",
    gateways,
    services: kit.services,
    clocks: kit.clocks,
    wires: kit.wires,
    disk,
    readStore: async (names) => readSqlite(join(disk.folder, "chat/chat.sqlite"), names),
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
