import { expect, test } from "bun:test"
import { createRelay, eachLine } from "./relay.ts"

/** A reader that takes what is written when the test says so. */
function slowReader() {
  const written: string[] = []
  const pending: (() => void)[] = []
  return {
    written,
    sink: {
      write(text: string, done: () => void) {
        written.push(text)
        pending.push(done)
      },
    },
    readAll() {
      while (pending.length > 0) pending.shift()?.()
    },
  }
}

test("each line follows the name of who says it, in colour where that is wanted", () => {
  const plain = slowReader()
  createRelay(plain.sink, false).line("chat", "hello")
  expect(plain.written).toEqual(["chat      │ hello\n"])

  const coloured = slowReader()
  createRelay(coloured.sink, true).line("chat", "hello")
  expect(coloured.written).toEqual(["\x1b[36mchat      │\x1b[0m hello\n"])
})

test("what comes faster than it is read is left out beyond a bound, and counted", async () => {
  const reader = slowReader()
  const relay = createRelay(reader.sink, false)
  const line = "x".repeat(1024)
  for (let i = 0; i < 3_000; i += 1) relay.line("chat", line)
  const kept = reader.written.length
  expect(kept).toBeLessThan(1_100)
  reader.readAll()
  await relay.drained(1_000)
  expect(reader.written.at(-1)).toContain(`${3_000 - kept} lines of log were left out`)
})

test("lines are whole, however the bytes come", async () => {
  const bytes = new TextEncoder().encode("Zoë\nBob\nlast")
  const stream = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const byte of bytes) controller.enqueue(Uint8Array.of(byte))
      controller.close()
    },
  })
  const lines: string[] = []
  await eachLine(stream, (line) => lines.push(line))
  expect(lines).toEqual(["Zoë", "Bob", "last"])
})
