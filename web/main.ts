import { createLogger } from "@parley/platform/log.ts"
import { runProcess } from "@parley/platform/process.ts"
import { readWebConfig } from "./config.ts"
import { startWeb } from "./start.ts"

process.env.NEXT_TELEMETRY_DISABLED = "1"

const log = createLogger("web")
await runProcess(log, () => startWeb(readWebConfig(process.env)))
