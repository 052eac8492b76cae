import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { ConfigError } from "@parley/platform/config.ts"
import type { Running } from "@parley/platform/process.ts"
import type { NextConfig } from "next"
import type { WebConfig } from "./config.ts"

/** How long a page that is being rendered may take to be finished when the process stops, in ms. */
const FINISH_WITHIN_MS = 3_000
/** After so long without a request, in ms, what the last ones left behind is given back to the system. */
const QUIET_MS = 1_000

/** Serves the built app from this very process. @throws ConfigError where it is not built. */
export async function startWeb(config: WebConfig): Promise<Running> {
  const built = await builtConfig()
  // Next would load the config anew otherwise, with a compiler and a bundler that the server does not need: 28 MB.
  process.env.__NEXT_PRIVATE_STANDALONE_CONFIG = JSON.stringify(built)
  const { default: next } = await import("next")
  const { host: hostname, port } = config
  const app = next({ dev: false, dir: import.meta.dirname, conf: built, hostname, port })
  await app.prepare()

  const handle = app.getRequestHandler()
  let quiet: ReturnType<typeof setTimeout> | undefined
  const server = createServer((request, response) => {
    clearTimeout(quiet)
    quiet = setTimeout(() => Bun.gc(true), QUIET_MS)
    void handle(request, response)
  })
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject)
    server.listen(port, hostname, resolve)
  })
  return {
    port: (server.address() as AddressInfo).port,
    async stop() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      server.closeIdleConnections()
      const late = setTimeout(() => server.closeAllConnections(), FINISH_WITHIN_MS)
      await closed
      clearTimeout(late)
      clearTimeout(quiet)
      await app.close()
    },
  }
}

/** The configuration as the build has resolved it. */
async function builtConfig(): Promise<NextConfig> {
  const file = Bun.file(`${import.meta.dirname}/.next/required-server-files.json`)
  if (!(await file.exists())) {
    throw new ConfigError("The web app is not built; build it with `bun run --cwd web build`.")
  }
  return (await file.json()).config
}
