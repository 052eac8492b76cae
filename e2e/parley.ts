import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { ROOT } from "../launcher/root.ts"
import { Person } from "./person.ts"
import { processes } from "./processes.ts"

/** A whole Parley, as `./parley start` starts it: every service a process, on a free port, with data of its own. */
export async function startParley(environment: Record<string, string> = {}) {
  const dataDir = mkdtempSync(join(tmpdir(), "parley-e2e-"))
  const child = Bun.spawn([process.execPath, "parley.ts", "start"], {
    cwd: ROOT,
    env: { ...process.env, PORT: "0", DATA_DIR: dataDir, ...environment },
    stdin: "pipe",
    stdout: "pipe",
    stderr: Bun.file(join(dataDir, "stderr.txt")),
  })
  const stderr = () => readFileSync(join(dataDir, "stderr.txt"), "utf8")
  const url = await readyLine(child.stdout, stderr)
  let people = 0

  return {
    url,
    stderr,

    /** The process of a service. */
    pidOf(service: "auth" | "chat" | "gateway" | "web"): number {
      const script = `${service}/main.ts`
      const found = processes().find((p) => p.parent === child.pid && p.command.includes(script))
      if (!found) throw new Error(`${service} does not run`)
      return found.pid
    },

    /** Someone with a new account, signed in. Names that were used before get a number. */
    async person(name: string): Promise<Person> {
      people += 1
      const person = new Person(url, `${name.toLowerCase().replaceAll(" ", ".")}${people}`)
      await person.signUp(name)
      return person
    },

    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM")
      await child.exited
      rmSync(dataDir, { recursive: true, force: true })
    },
  }
}
export type Parley = Awaited<ReturnType<typeof startParley>>

async function readyLine(stdout: ReadableStream<Uint8Array>, stderr: () => string) {
  const decoder = new TextDecoder()
  let text = ""
  for await (const chunk of stdout) {
    text += decoder.decode(chunk, { stream: true })
    const url = /^Parley is ready: (\S+)$/m.exec(text)?.[1]
    if (url) return url
  }
  throw new Error(`Parley ended before it was ready:\n${text}${stderr()}`)
}
