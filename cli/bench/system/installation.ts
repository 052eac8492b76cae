import { inRoot } from "@parley/platform/machine/root.ts"
import { type Child, startChild } from "@parley/testing/child.ts"
import { type Folder, temporaryFolder } from "@parley/testing/folder.ts"
import { LIFTED_LIMITS } from "@parley/testing/lifted-limits.ts"

/** A Parley of its own: auth, chat and gateway as the launcher starts them, on free ports, in a temporary folder. */
export interface Installation extends AsyncDisposable {
  auth: Child
  chat: Child
  gateway: Child
  services: Child[]
  dataDir: string
  publicUrl: string
  linkSecret: string
  /** http://127.0.0.1:<port of the gateway> */
  url: string
}

const READY_WITHIN_MS = 30_000

export const linkSecret = () =>
  Buffer.from(crypto.getRandomValues(new Uint8Array(24))).toString("hex")

/** Starts one service of ours as a process of its own. */
export const startService = (name: string, environment: Record<string, string>): Promise<Child> =>
  startChild(name, [process.execPath, ...bunOptions(), inRoot(name, "main.ts")], {
    NODE_ENV: "production",
    APOLLO_TELEMETRY_DISABLED: "true",
    LOG_LEVEL: "warn",
    ...environment,
  })

/** As the launcher calls Bun; BENCH_BUN_OPTIONS adds what a profiler needs. */
const bunOptions = () => [
  "--no-orphans",
  "--no-env-file",
  "--no-install",
  ...(process.env.BENCH_BUN_OPTIONS?.split(" ").filter(Boolean) ?? []),
]

/** Starts everything that a message passes, and resolves once one can be sent. */
export async function startInstallation(): Promise<Installation> {
  const folder = temporaryFolder()
  const secret = linkSecret()
  const publicUrl = "http://localhost:4000"
  const common = {
    PORT: "0",
    HOST: "127.0.0.1",
    DATA_DIR: folder.path,
    PUBLIC_URL: publicUrl,
    LINK_SECRET: secret,
    SIGNUPS_PER_ADDRESS: "1000000",
    ...LIFTED_LIMITS,
  }
  const services: Child[] = []
  const start = async (name: string, more: Record<string, string> = {}) => {
    const child = await startService(name, { ...common, ...more })
    services.push(child)
    return child
  }
  try {
    const auth = await start("auth")
    const AUTH_URL = `http://127.0.0.1:${auth.port}`
    const chat = await start("chat", { AUTH_URL })
    const CHAT_URL = `http://127.0.0.1:${chat.port}`
    const gateway = await start("gateway", { AUTH_URL, CHAT_URL })
    const url = `http://127.0.0.1:${gateway.port}`
    await untilReady(url)
    return {
      auth,
      chat,
      gateway,
      services: [gateway, chat, auth],
      dataDir: folder.path,
      publicUrl,
      linkSecret: secret,
      url,
      [Symbol.asyncDispose]: () => end(services, folder),
    }
  } catch (error) {
    await end(services, folder)
    throw error
  }
}

async function end(services: Child[], folder: Folder): Promise<void> {
  await Promise.all(services.map((child) => child[Symbol.asyncDispose]()))
  folder[Symbol.dispose]()
}

export async function untilReady(url: string): Promise<void> {
  const deadline = performance.now() + READY_WITHIN_MS
  let reason = ""
  while (performance.now() < deadline) {
    const response = await fetch(`${url}/readyz`)
    if (response.ok) return
    reason = await response.text()
    await Bun.sleep(20)
  }
  throw new Error(`The installation did not get ready: ${reason}`)
}
