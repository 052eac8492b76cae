/** Writes whole lines on stderr, each after the name of who says it. */
export interface Relay {
  line(from: string, text: string): void
  /** Resolves once everything is written, or after `ms`. */
  drained(ms: number): Promise<void>
}

/** What may wait for a slow reader, in characters. Beyond it the relay drops lines and counts them: a chat must not stop because its log has no reader. */
const MAX_WAITING = 1024 * 1024

/** The longest name. */
const WIDTH = "gateway-1".length

const COLOURS = [36, 35, 32, 34, 33]

/** What the relay writes to: process.stderr, or a stand-in. */
export interface Sink {
  write(text: string, done: () => void): unknown
}

/** @param coloured whether names have colours, in the order in which they first speak */
export function createRelay(sink: Sink, coloured: boolean): Relay {
  const prefixes = new Map<string, string>()
  let waiting = 0
  let dropped = 0
  let whenDrained: (() => void) | undefined

  function prefix(name: string): string {
    const known = prefixes.get(name)
    if (known) return known
    const text = `${name.padEnd(WIDTH)} │`
    const colour = COLOURS[prefixes.size % COLOURS.length]
    const made = coloured ? `\x1b[${colour}m${text}\x1b[0m ` : `${text} `
    prefixes.set(name, made)
    return made
  }

  function write(text: string): void {
    waiting += text.length
    sink.write(text, () => {
      waiting -= text.length
      if (dropped > 0 && waiting < MAX_WAITING / 2) {
        const count = dropped
        dropped = 0
        write(
          `${prefix("parley")}${count} lines of log were left out: they came faster than read\n`,
        )
      }
      if (waiting === 0) whenDrained?.()
    })
  }

  return {
    line(from, text) {
      if (waiting > MAX_WAITING) dropped += 1
      else write(`${prefix(from)}${text}\n`)
    },
    async drained(ms) {
      if (waiting === 0) return
      const { promise, resolve } = Promise.withResolvers<void>()
      whenDrained = resolve
      await Promise.race([promise, Bun.sleep(ms)])
    },
  }
}

/** The longest line that is passed on whole, in characters. */
const MAX_LINE = 64 * 1024

/** Calls back with each line of a stream, and returns at its end. */
export async function eachLine(
  stream: ReadableStream<Uint8Array>,
  onLine: (line: string) => void,
): Promise<void> {
  const decoder = new TextDecoder()
  let rest = ""
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n")
    rest = lines.pop() ?? ""
    for (const line of lines) onLine(line)
    if (rest.length > MAX_LINE) {
      onLine(rest)
      rest = ""
    }
  }
  if (rest !== "") onLine(rest)
}
