import { createLogger } from "@parley/service/log.ts"
import { runProcess } from "@parley/service/process.ts"
import { readGatewayConfig } from "./config.ts"
import { startGateway } from "./start.ts"

await runProcess(createLogger("gateway"), () => startGateway(readGatewayConfig(process.env)))
