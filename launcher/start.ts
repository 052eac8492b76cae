import { join } from "node:path"
import { ConfigError, type Environment } from "@parley/service/config.ts"
import { linkSecretIn, openDataDir, readStartConfig } from "./config.ts"
import { type Lock, takeLock } from "./lock.ts"
import { checkPort, claimPorts } from "./ports.ts"
import { createRelay } from "./relay.ts"
import { type Installation, servicesOf } from "./services.ts"
import { type Supervised, supervise } from "./supervise.ts"

/** Longer than a busy machine takes. */
const READY_WITHIN = 120_000
const ASK_EVERY = 50

/** The gateway first, so that nothing new comes in; auth last, because the others ask it. */
const STOP_ORDER = [["gateway"], ["web", "chat"], ["auth"]]
/** How long the later ones wait for the earlier ones, in ms. */
const STAGE = 2_500
/** After so many ms of stopping, whoever is still there is killed. */
const STOP_WITHIN = 8_000

/**
 * Runs a whole installation until it is told to stop by SIGINT, SIGTERM or SIGHUP. Says `Parley is ready: <PUBLIC_URL>`
 * on stdout once a message can be sent, and nothing else there; everything else goes to stderr.
 * @returns 0 after a stop; 1 where it could not start: then one sentence says why, and nothing is left running.
 */
export async function start(environment: Environment): Promise<number> {
  const stop = stopSignal()
  const coloured = process.stderr.isTTY === true && !environment.NO_COLOR
  const relay = createRelay(process.stderr, coloured)
  try {
    const { installation, lock } = prepareInstallation(environment)
    using _lock = lock
    const services = servicesOf(installation, environment).map((service) =>
      supervise(service, relay),
    )
    try {
      const outcome = await Promise.race([ready(services, installation), stop])
      if (outcome === "ready") {
        process.stdout.write(`Parley is ready: ${installation.publicUrl}\n`)
        relay.line("parley", `stopping (${await stop})`)
      }
      return 0
    } finally {
      await stopAll(services)
      await relay.drained(500)
    }
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    process.stderr.write(`${error.message}\n`)
    return 1
  }
}

/** @throws ConfigError where something of it cannot be had. */
function prepareInstallation(environment: Environment): {
  installation: Installation
  lock: Lock
} {
  const config = readStartConfig(environment)
  const { host, dataDir } = config
  openDataDir(dataDir)
  const lock = takeLock(join(dataDir, "lock"))
  if (!lock) {
    throw new ConfigError(
      `Another Parley is running on the data folder ${dataDir}: stop that one, or set DATA_DIR to another folder.`,
    )
  }
  try {
    if (config.port !== 0) checkPort(host, config.port)
    const [auth = 0, chat = 0, web = 0, gateway = 0] = claimPorts(4)
    const port = config.port || gateway
    const installation = {
      host,
      port,
      dataDir,
      publicUrl: config.publicUrl ?? `http://localhost:${port}`,
      linkSecret: environment.LINK_SECRET || linkSecretIn(dataDir),
      ports: { auth, chat, web },
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
  { host, port }: Installation,
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
  // An address that means "all of this machine's" is not one to ask at.
  const address = host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "[::1]" : host
  const isReady = () =>
    fetch(`http://${address}:${port}/readyz`, { signal: AbortSignal.timeout(5_000) }).then(
      ({ ok }) => ok,
      () => false,
    )
  while (!(await isReady())) await Promise.race([Bun.sleep(ASK_EVERY), late])
  return "ready"
}

async function stopAll(services: readonly Supervised[]): Promise<void> {
  const killer = setTimeout(() => {
    for (const service of services) service.kill()
  }, STOP_WITHIN)
  const all = []
  for (const names of STOP_ORDER) {
    const stage = services.filter(({ name }) => names.includes(name)).map((one) => one.stop())
    all.push(...stage)
    await Promise.race([Promise.all(stage), Bun.sleep(STAGE)])
  }
  await Promise.all(all)
  clearTimeout(killer)
}
