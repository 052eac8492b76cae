import { existsSync } from "node:fs"
import type { Environment } from "@parley/platform/config.ts"
import { runCommand } from "./command.ts"
import { type Report, timed } from "./report.ts"

/** What a service of compose.yaml is to an engine's client on this machine. */
export type Service = "mongo" | "kafka"

/** Engines in containers of their own project, beside whatever else runs from the same file. */
export interface Composed {
  /** Where each service that was asked for is published, as `host:port`. */
  addresses: Map<Service, string>
  stop(): Promise<void>
}

export interface ComposeOptions {
  file: string
  services: Service[]
  /** Sets these containers, and what they keep, apart from all others. */
  project: string
  /** Whether the volumes are there for the next start. */
  keepData: boolean
}

/** The port in the container that is meant for clients outside: Kafka's 9092 names itself as the containers see it. */
const PORTS: Record<Service, string> = { mongo: "27017", kafka: "9094" }

const QUICK = 20_000
/** Longer than pulling both images on a slow line, in ms. */
const UP = 15 * 60_000

/** Takes the project down once its stdin is closed: by `stop`, or because this process is gone. */
const WATCHDOG = `while read -r _; do :; done; exec "$@"`

/**
 * Starts services of a compose file where Docker runs and the file has them; answers undefined where not, and reports
 * why where that is no matter of course.
 */
export async function startComposed(
  options: ComposeOptions,
  environment: Environment,
  report: Report,
): Promise<Composed | undefined> {
  const { file, services, project, keepData } = options
  const docker = Bun.which("docker", { PATH: environment.PATH ?? "" })
  if (!docker || !existsSync(file)) return undefined
  const compose = ["compose", "--file", file, "--project-name", project]
  const run = (args: string[], timeout: number) =>
    runCommand([docker, ...args], environment, timeout)

  if ((await run(["info"], QUICK)).status !== 0) return undefined
  const listed = await run([...compose, "config", "--services"], QUICK)
  const names = listed.output.split("\n").map((line) => line.trim())
  if (listed.status !== 0 || !services.every((service) => names.includes(service))) return undefined

  const down = ["down", "--timeout", "5", ...(keepData ? [] : ["--volumes"])]
  const watchdog = Bun.spawn(["/bin/sh", "-c", WATCHDOG, "sh", docker, ...compose, ...down], {
    env: environment,
    stdin: "pipe",
    stdout: "ignore",
    stderr: "ignore",
    detached: true,
  })
  const stop = async () => {
    await watchdog.stdin.end()
    await watchdog.exited
  }

  const up = [...compose, "up", "--detach", "--wait", ...services]
  const label = `starting ${services.join(" and ")} with docker compose`
  const started = await timed(report, label, () => run(up, UP))
  const addresses = new Map<Service, string>()
  for (const service of started.status === 0 ? services : []) {
    const { status, output } = await run([...compose, "port", service, PORTS[service]], QUICK)
    const address = output.trim().replace(/^0\.0\.0\.0:/, "127.0.0.1:")
    if (status === 0 && /^[\w.]+:[1-9]\d*$/.test(address)) addresses.set(service, address)
  }
  if (addresses.size === services.length) return { addresses, stop }

  const why =
    started.status === 0
      ? "it does not publish the engines' ports"
      : started.output.trim().split("\n").at(-1)
  report(`docker compose is left aside: ${why}`)
  await stop()
  return undefined
}
