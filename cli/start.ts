import { join } from "node:path"
import { SECRET_HEADER } from "@parley/link/protocol.ts"
import { ConfigError, type Environment } from "@parley/platform/config.ts"
import { type Lock, takeLock } from "../platform/machine/lock.ts"
import { checkPort, claimPorts } from "../platform/machine/ports.ts"
import { linkSecretIn, openDataDir, readStartConfig } from "./config.ts"
import { closeEngines, openClusterEngines } from "./engines.ts"
import { createRelay, type Relay } from "./relay.ts"
import { type Installation, metricsWhereabouts, servicesOf } from "./services.ts"
import { type Supervised, supervise } from "./supervise.ts"
import { readArguments, type Topology } from "./topology.ts"

/** Longer than a busy machine takes. */
const READY_WITHIN = 120_000
const ASK_EVERY = 50

/** The gateway first, so that nothing new comes in; auth last, because the others ask it. */
const STOP_ORDER = [/^gateway/, /^(web|chat)/, /^auth/]
/** How long the later ones wait for the earlier ones, in ms. */
const STAGE = 2_500
/** After so many ms of stopping, a service that still runs is killed. */
const STOP_WITHIN = 8_000
/** The engines of a cluster, which everyone else needs to the last, get what is left of this, in ms. */
const ALL_STOPPED_WITHIN = 9_000

/**
 * Runs a whole installation until it is told to stop by SIGINT, SIGTERM or SIGHUP. Says `Parley is ready: <PUBLIC_URL>`
 * on stdout once a message can be sent, and nothing else there; everything else goes to stderr.
 * @returns 0 after a stop; 1 where it could not start: then one sentence says why, and nothing is left running.
 */
export async function start(environment: Environment, args: readonly string[]): Promise<number> {
  const stop = stopSignal()
  let askedAt = Number.NaN
  void stop.then(() => {
    askedAt = performance.now()
  })
  const coloured = process.stderr.isTTY === true && !environment.NO_COLOR
  const relay = createRelay(process.stderr, coloured)
  const say = (text: string) => relay.line("parley", text)
  try {
    const { topology, withEngines } = readArguments(args)
    const { installation, lock } = prepareInstallation(environment, topology)
    using _lock = lock
    // Whatever of the named engines cannot be used is said before any other is started.
    servicesOf(installation, environment)
    const engines =
      withEngines && !installation.engines
        ? await Promise.race([openClusterEngines(environment, installation.dataDir, say), stop])
        : undefined
    // What was about to start ends with this process.
    if (typeof engines === "string") return 0
    installation.engines ??= engines
    try {
      await run(installation, environment, relay, stop)
      return 0
    } finally {
      const left = askedAt + ALL_STOPPED_WITHIN - performance.now()
      if (engines) await closeEngines(engines, left || ALL_STOPPED_WITHIN)
      await relay.drained(500)
    }
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    process.stderr.write(`${error.message}\n`)
    return 1
  }
}

/**
 * Runs the services until `stop` resolves, and stops them.
 * @throws ConfigError where they do not start.
 */
async function run(
  installation: Installation,
  environment: Environment,
  relay: Relay,
  stop: Promise<string>,
): Promise<void> {
  const planned = servicesOf(installation, environment)
  const services = planned.map((service) => supervise(service, relay))
  try {
    const outcome = await Promise.race([ready(services, installation), stop])
    if (outcome !== "ready") return
    if (installation.engines) {
      for (const line of whereabouts(installation)) relay.line("parley", line)
    }
    const figures = metricsWhereabouts(planned)
    if (figures) relay.line("parley", figures)
    process.stdout.write(`Parley is ready: ${installation.publicUrl}\n`)
    relay.line("parley", `stopping (${await stop})`)
  } finally {
    await stopAll(services)
  }
}

/** @throws ConfigError where something of it cannot be had. */
function prepareInstallation(
  environment: Environment,
  topology: Topology,
): { installation: Installation; lock: Lock } {
  const { port, host, dataDir, publicUrl, linkSecret, engines } = readStartConfig(environment)
  openDataDir(dataDir)
  const lock = takeLock(join(dataDir, "lock"))
  if (!lock) {
    throw new ConfigError(
      `Another Parley is running on the data folder ${dataDir}: stop that one, or set DATA_DIR to another folder.`,
    )
  }
  try {
    if (port !== 0) checkPort(host, port)
    const free = claimPorts(topology.auth + topology.chat + topology.gateway + 1)
    const ports = {
      auth: free.splice(0, topology.auth),
      chat: free.splice(0, topology.chat),
      web: free.splice(0, 1),
      gateway: free,
    }
    if (port !== 0) ports.gateway[0] = port
    const installation = {
      host,
      dataDir,
      publicUrl: publicUrl ?? `http://localhost:${ports.gateway[0]}`,
      linkSecret: linkSecret ?? linkSecretIn(dataDir),
      engines,
      ports,
    }
    return { installation, lock }
  } catch (error) {
    lock.release()
    throw error
  }
}

/** Resolves with the name of the first signal that asks to stop. Later ones change nothing: the stop is bounded. */
function stopSignal(): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>()
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => resolve(signal))
  return promise
}

/** @throws ConfigError where a service refuses to start, or the whole is not ready in time. */
async function ready(
  services: readonly Supervised[],
  { host, ports, linkSecret }: Installation,
): Promise<"ready"> {
  const late = Bun.sleep(READY_WITHIN).then(() => {
    throw new ConfigError(`Parley is not ready after ${READY_WITHIN / 1000} s: see the log above.`)
  })
  await Promise.race([Promise.all(services.map(({ listening }) => listening)), late]).catch(
    (error: Error) => {
      if (error instanceof ConfigError) throw error
      throw new ConfigError(`Parley could not start, because ${error.message}: see the log above.`)
    },
  )
  const address = addressOf(host)
  // A gateway is ready with one process of each service; here all of them are to be.
  const isReady = (port: number) =>
    fetch(`http://${address}:${port}/readyz`, {
      // Strangers get yes or no.
      headers: { [SECRET_HEADER]: linkSecret },
      signal: AbortSignal.timeout(5_000),
    })
      .then(async (response) => response.ok && !("down" in ((await response.json()) as object)))
      .catch(() => false)
  for (const port of ports.gateway) {
    while (!(await isReady(port))) await Promise.race([Bun.sleep(ASK_EVERY), late])
  }
  return "ready"
}

/** An address that means "all of this machine's" is not one to ask at. */
const addressOf = (host: string) =>
  host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "[::1]" : host

/** The addresses of a cluster, one line for each kind of process. */
function whereabouts({ host, ports, engines }: Installation): string[] {
  const at = (address: string, numbers: number[]) =>
    numbers.map((port) => `http://${address}:${port}`).join(" ")
  return [
    `gateways at ${at(addressOf(host), ports.gateway)}`,
    `chat nodes at ${at("127.0.0.1", ports.chat)}`,
    `auth at ${at("127.0.0.1", ports.auth)}, web at ${at("127.0.0.1", ports.web)}`,
    // Credentials stay out of the output.
    `MongoDB at ${engines?.mongodbUrl.replace(/\/\/[^@/]*@/, "//")}`,
    `Kafka at ${engines?.kafkaBrokers}`,
  ]
}

async function stopAll(services: readonly Supervised[]): Promise<void> {
  const killer = setTimeout(() => {
    for (const service of services) service.kill()
  }, STOP_WITHIN)
  const all = []
  for (const names of STOP_ORDER) {
    const stage = services.filter(({ name }) => names.test(name)).map((one) => one.stop())
    all.push(...stage)
    await Promise.race([Promise.all(stage), Bun.sleep(STAGE)])
  }
  await Promise.all(all)
  clearTimeout(killer)
}
