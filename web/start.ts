import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import type { Running } from "@parley/service/process.ts"
import next from "next"
import type { WebConfig } from "./config.ts"

/** How long a page that is being rendered may take to be finished when the process stops, in ms. */
const FINISH_WITHIN_MS = 3_000

/** Serves the built app (`bun run --cwd web build`) from this very process. */
export async function startWeb(config: WebConfig): Promise<Running> {
  const app = next({
    dev: false,
    dir: import.meta.dirname,
    hostname: config.host,
    port: config.port,
  })
  await app.prepare()
  const handle = app.getRequestHandler()
  const server = createServer((request, response) => void handle(request, response))
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject)
    server.listen(config.port, config.host, resolve)
  })
  return {
    port: (server.address() as AddressInfo).port,
    async stop() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      server.closeIdleConnections()
      const late = setTimeout(() => server.closeAllConnections(), FINISH_WITHIN_MS)
      await closed
      clearTimeout(late)
      await app.close()
    },
  }
}
