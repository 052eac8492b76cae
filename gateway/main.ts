import { createLogger } from "@parley/platform/log.ts"
import { runProcess } from "@parley/platform/process.ts"
import { readGatewayConfig } from "./config.ts"
import { startGateway } from "./start.ts"

await runProcess(createLogger("gateway"), () => startGateway(readGatewayConfig(process.env)))
