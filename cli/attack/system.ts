import { temporaryFolder } from "../../testing/folder.ts"
import { startParley } from "../../testing/parley.ts"
import { rssBytes } from "../../testing/processes.ts"

export type Engines = "embedded" | "cluster"
export const SERVICES = ["gateway", "auth", "chat", "web"] as const
export type Service = (typeof SERVICES)[number]

/** A service's memory in RAM, in bytes: of the largest process where there are several. */
export type Memory = Record<Service, number>

/** A real Parley under attack, as `./parley start` starts it, with default settings and data of its own. */
export interface System extends AsyncDisposable {
  urls: string[]
  dataDir: string | undefined
  memory(): Memory
  pidsOf(service: Service): number[]
  /** Ends each process of a service whose memory is over the bound, or all of them; the launcher starts them again. */
  kill(service: Service, overBytes?: number): number
  /** True where every gateway says within 5 s that it lives. */
  lives(): Promise<boolean>
  /** Resolves once every gateway can do its work. @throws Error where one cannot within 60 s */
  ready(): Promise<void>
}

const READY_WITHIN = 60_000
const LIVES_WITHIN = 5_000

/** The suite's clients name their addresses themselves, as a proxy would. */
const SETTINGS = { HOST: "127.0.0.1", TRUSTED_PROXIES: "127.0.0.1,::1", LOG_LEVEL: "error" }

export async function startSystem(engines: Engines): Promise<System> {
  const folder = temporaryFolder()
  const parley = await startParley(
    engines === "cluster" ? "a cluster of three" : "one embedded node",
    { dataDir: folder.path, environment: SETTINGS },
  )
  const answers = (url: string, path: string, within: number) =>
    fetch(`${url}${path}`, { signal: AbortSignal.timeout(within) }).then(
      ({ ok }) => ok,
      () => false,
    )
  return {
    urls: parley.gateways,
    dataDir: engines === "embedded" ? folder.path : undefined,
    pidsOf: parley.pidsOf,
    memory() {
      const largest = (service: Service) => Math.max(0, ...parley.pidsOf(service).map(rss))
      return {
        gateway: largest("gateway"),
        auth: largest("auth"),
        chat: largest("chat"),
        web: largest("web"),
      }
    },
    kill(service, overBytes = 0) {
      const over = parley.pidsOf(service).filter((pid) => rss(pid) > overBytes)
      for (const pid of over) process.kill(pid, "SIGKILL")
      return over.length
    },
    async lives() {
      const all = parley.gateways.map((url) => answers(url, "/healthz", LIVES_WITHIN))
      return (await Promise.all(all)).every(Boolean)
    },
    async ready() {
      const deadline = performance.now() + READY_WITHIN
      for (const url of parley.gateways) {
        while (!(await answers(url, "/readyz", LIVES_WITHIN))) {
          if (performance.now() > deadline) throw new Error(`${url} does not get ready again`)
          await Bun.sleep(200)
        }
      }
    },
    async [Symbol.asyncDispose]() {
      await parley[Symbol.asyncDispose]()
      folder[Symbol.dispose]()
    },
  }
}

/** 0 where the process has ended. */
function rss(pid: number): number {
  try {
    return rssBytes(pid)
  } catch {
    return 0
  }
}
