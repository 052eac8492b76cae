import { afterAll, expect, test } from "bun:test"
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { ROOT } from "../platform/machine/root.ts"
import { startParley } from "../testing/parley.ts"
import type { Person } from "../testing/person.ts"

const folder = mkdtempSync(join(tmpdir(), "parley-backup-"))
afterAll(() => rmSync(folder, { recursive: true }))

/** Carries out, in that folder, what docs/operations.md tells whoever wants a backup to do. */
async function backUp(): Promise<void> {
  const page = await Bun.file(join(ROOT, "docs/operations.md")).text()
  const commands = page.match(/(^ {4}.*\n)+/gm)?.find((block) => block.includes("sqlite3 "))
  // There is a SQLite wherever this runs, but not always its command.
  const bin = join(folder, "bin")
  mkdirSync(bin)
  const run = "new (require('bun:sqlite').Database)(process.argv[1]).run(process.argv[2])"
  const sqlite3 = `#!/bin/sh\nexec "${process.execPath}" -e "${run}" "$@"\n`
  writeFileSync(join(bin, "sqlite3"), sqlite3, { mode: 0o755 })
  const shell = Bun.spawn(["/bin/sh", "-euc", commands ?? "exit 1"], {
    cwd: folder,
    env: { PATH: `${bin}:${process.env.PATH}` },
    stdout: "inherit",
    stderr: "inherit",
  })
  expect(await shell.exited).toBe(0)
}

function restore(): string {
  const dataDir = join(folder, "restored")
  for (const service of ["auth", "chat"]) mkdirSync(join(dataDir, service), { recursive: true })
  for (const file of ["auth/auth.sqlite", "auth/keys.json", "chat/chat.sqlite"]) {
    copyFileSync(join(folder, "backup", file.split("/")[1]!), join(dataDir, file))
  }
  return dataDir
}

const textsOf = async (person: Person, conversation: string) => {
  const read = await person.get<{
    conversation: { log: { message?: { text: string } }[] }
  }>(
    "query($c: ID!) { conversation(id: $c) { log(after: 0, first: 1000) { ... on MessageSent { message { text } } } } }",
    { c: conversation },
  )
  return read.conversation.log.flatMap(({ message }) => message?.text ?? [])
}

test("a backup of a running installation is whole: everything acknowledged before is there again, and everyone signed in", async () => {
  await using parley = await startParley("one embedded node", { dataDir: join(folder, "data") })
  const [alice, bob] = [await parley.person("Alice"), await parley.person("Bob")]
  const chat = await alice.chatWith(bob)
  const before = Array.from({ length: 50 }, (_, index) => `before ${index}`)
  for (const text of before) await alice.deliver(chat, text)

  // People go on writing while it is made.
  let isDone = false
  const meanwhile = (async () => {
    for (let index = 0; !isDone; index += 1) await bob.deliver(chat, `meanwhile ${index}`)
  })()
  await backUp()
  isDone = true
  await meanwhile

  await using restored = await startParley("one embedded node", {
    dataDir: restore(),
    environment: { PUBLIC_URL: parley.url },
  })
  const again = alice.at(restored.url)
  const texts = await textsOf(again, chat)
  expect(texts.slice(0, before.length)).toEqual(before)
  expect(texts.slice(before.length).every((text, i) => text === `meanwhile ${i}`)).toBe(true)
  await again.deliver(chat, "after")
  expect((await textsOf(bob.at(restored.url), chat)).at(-1)).toBe("after")
}, 60_000)
