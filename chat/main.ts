import { createLogger } from "@parley/service/log.ts"
import { runProcess } from "@parley/service/process.ts"
import { readChatConfig } from "./config.ts"
import { startChat } from "./start.ts"

await runProcess(createLogger("chat"), () => startChat(readChatConfig(process.env)))
