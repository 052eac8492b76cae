export type LogLevel = "debug" | "info" | "warn" | "error"
export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const

/** Structured logging: an event name that never varies, and the values beside it. */
export interface Logger {
  debug(event: string, fields?: LogFields): void
  info(event: string, fields?: LogFields): void
  warn(event: string, fields?: LogFields): void
  error(event: string, fields?: LogFields): void
}
export type LogFields = Record<string, unknown>

/** One JSON object a line on stderr: time (RFC 3339), level, service, event, then the fields. */
export function createLogger(service: string, level: LogLevel = "info"): Logger {
  const floor = LOG_LEVELS.indexOf(level)
  const at = (level: LogLevel) => (event: string, fields?: LogFields) => {
    if (LOG_LEVELS.indexOf(level) < floor) return
    const line = { time: new Date().toISOString(), level, service, event, ...fields }
    process.stderr.write(`${JSON.stringify(line, errorsAsText)}\n`)
  }
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") }
}

const errorsAsText = (_key: string, value: unknown) =>
  value instanceof Error
    ? { message: value.message, stack: value.stack, cause: value.cause }
    : typeof value === "bigint"
      ? value.toString()
      : value

/** Says nothing. */
export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} }
