import { createLogger } from "../service/log.ts"
import { runProcess } from "../service/process.ts"
import { readChatConfig } from "./config.ts"
import { startChat } from "./start.ts"

await runProcess(createLogger("chat"), () => startChat(readChatConfig(process.env)))
