import { createLogger } from "@parley/service/log.ts"
import { runProcess } from "@parley/service/process.ts"
import { readAuthConfig } from "./config.ts"
import { startAuth } from "./start.ts"

await runProcess(createLogger("auth"), () => startAuth(readAuthConfig(process.env)))
