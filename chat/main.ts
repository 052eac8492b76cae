import { createLogger } from "@parley/platform/log.ts"
import { runProcess } from "@parley/platform/process.ts"
import { readChatConfig } from "./config.ts"
import { startChat } from "./start.ts"

await runProcess(createLogger("chat"), () => startChat(readChatConfig(process.env)))
