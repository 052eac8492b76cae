import { createLogger } from "@parley/platform/log.ts"
import { runProcess } from "@parley/platform/process.ts"
import { readAuthConfig } from "./config.ts"
import { startAuth } from "./start.ts"

await runProcess(createLogger("auth"), () => startAuth(readAuthConfig(process.env)))
