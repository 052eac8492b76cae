import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { ROOT } from "@parley/platform/machine/root.ts"
import { Person } from "./person.ts"
import { processes } from "./processes.ts"
import { setUp, type Topology } from "./topologies.ts"

type ServiceName = "auth" | "chat" | "gateway" | "web"

/** What is as the test wants it. */
export interface Given {
  /** Stays, where a test names it. */
  dataDir?: string
  environment?: Record<string, string>
}

/** A whole Parley, as `./parley start` starts it: every service a process, on a free port, with data of its own. */
export async function startParley(topology: Topology = "one embedded node", given: Given = {}) {
  const setup = await setUp(topology)
  const folder = mkdtempSync(join(tmpdir(), "parley-e2e-"))
  const child = Bun.spawn([process.execPath, "cli/main.ts", "start", ...setup.args], {
    cwd: ROOT,
    env: {
      ...process.env,
      ...{ PORT: "0", DATA_DIR: given.dataDir ?? join(folder, "data") },
      ...setup.environment,
      ...given.environment,
    },
    stdin: "pipe",
    stdout: "pipe",
    stderr: Bun.file(join(folder, "stderr.txt")),
  })
  const stderr = () => readFileSync(join(folder, "stderr.txt"), "utf8")
  const url = await readyLine(child.stdout, stderr)
  const gateways = /gateways at (.*)$/m.exec(stderr())?.[1]?.split(" ") ?? [url]
  let people = 0

  return {
    url,
    /** Of each gateway. */
    gateways,
    stderr,

    /** The processes of a service, oldest first. */
    pidsOf(service: ServiceName): number[] {
      const script = `${service}/main.ts`
      const found = processes().filter((p) => p.parent === child.pid && p.command.includes(script))
      return found.map(({ pid }) => pid).toSorted((a, b) => a - b)
    },

    /** Someone with a new account, signed in, by the next gateway in turn. Names that were used before get a number. */
    async person(name: string): Promise<Person> {
      const gateway = gateways[people % gateways.length]!
      people += 1
      const person = new Person(gateway, `${name.toLowerCase().replaceAll(" ", ".")}${people}`)
      await person.signUp(name)
      return person
    },

    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM")
      await child.exited
      rmSync(folder, { recursive: true, force: true })
      await setup[Symbol.asyncDispose]()
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
