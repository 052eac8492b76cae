export type LogLevel = "debug" | "info" | "warn" | "error"
export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const

/** Structured logging: an event name that never varies, and the values beside it. */
export interface Logger {
  /** Whether `debug` writes anything. Where it does not, nothing is put together for it, message after message. */
  readonly debugs: boolean
  debug(event: string, fields?: LogFields): void
  info(event: string, fields?: LogFields): void
  warn(event: string, fields?: LogFields): void
  error(event: string, fields?: LogFields): void
}
export type LogFields = Record<string, unknown>

/** One JSON object a line on stderr: time (RFC 3339), level, service, event, then the fields. Never throws. */
export function createLogger(service: string, level: LogLevel = "info"): Logger {
  const floor = LOG_LEVELS.indexOf(level)
  const at = (level: LogLevel) => (event: string, fields?: LogFields) => {
    if (LOG_LEVELS.indexOf(level) < floor) return
    const head = { time: new Date().toISOString(), level, service, event }
    process.stderr.write(`${toJson(head, fields)}\n`)
  }
  return {
    debugs: floor === 0,
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
  }
}

/** Says nothing. */
export const silentLogger: Logger = { debugs: false, debug() {}, info() {}, warn() {}, error() {} }

/** Most fields can be written as they are; those that refer to themselves, or throw when they are read, take longer. */
function toJson(head: LogFields, fields: LogFields | undefined): string {
  for (const replacer of [readable, withoutCircles()]) {
    try {
      return JSON.stringify({ ...head, ...fields }, replacer)
    } catch {}
  }
  return JSON.stringify({ ...head, unwritable: Object.keys(fields ?? {}) })
}

const readable = (_key: string, value: unknown) =>
  value instanceof Error
    ? { message: value.message, stack: value.stack, cause: value.cause }
    : typeof value === "bigint"
      ? value.toString()
      : value

function withoutCircles() {
  /** What is being written, from the outside in, and what stands for it. */
  const within: { value: unknown; written: unknown }[] = []
  return function (this: unknown, key: string, value: unknown): unknown {
    while (within.length > 0 && within.at(-1)!.written !== this) within.pop()
    if (within.some((outer) => outer.value === value)) return "[circular]"
    const written = readable(key, value)
    if (typeof written === "object" && written !== null) within.push({ value, written })
    return written
  }
}
