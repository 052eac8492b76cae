import { describe, expect, spyOn, test } from "bun:test"
import { createLogger, type LogFields, silentLogger } from "./log.ts"

/** What a warning with these fields comes to. */
function warned(fields: LogFields): LogFields {
  const stderr = spyOn(process.stderr, "write").mockImplementation(() => true)
  createLogger("chat").warn("something", fields)
  const line = String(stderr.mock.calls[0]?.[0])
  stderr.mockRestore()
  expect(line).toEndWith("\n")
  return JSON.parse(line)
}

describe("a line of the log", () => {
  test("is JSON: when, how bad, where, what, and the values beside it", () => {
    const { time, ...rest } = warned({ count: 3, id: 7n })
    expect(new Date(String(time)).toISOString()).toBe(String(time))
    expect(rest).toEqual({ level: "warn", service: "chat", event: "something", count: 3, id: "7" })
  })

  test("tells of an error with its stack, and of what brought it about", () => {
    const error = new Error("outside", { cause: new Error("inside") })
    const line = warned({ error }).error as { stack: string; cause: { message: string } }
    expect(line).toMatchObject({ message: "outside", cause: { message: "inside" } })
    expect(line.stack).toContain("log.test.ts")
  })

  test("is written, however its values refer to each other", () => {
    const error = new Error("round and round")
    error.cause = { of: [error] }
    const line = warned({ error, same: [error.cause, error.cause] })
    expect(line.error).toMatchObject({ cause: { of: ["[circular]"] } })
    // The same value twice, side by side, is no circle.
    expect(line.same).toMatchObject([{ of: [{ message: error.message }] }, { of: [{}] }])
  })

  test("is written where a value cannot be read at all", () => {
    const value = {
      get reading() {
        throw new Error("not to be read")
      },
    }
    expect(warned({ value, count: 1 })).toMatchObject({
      event: "something",
      unwritable: ["value", "count"],
    })
  })
})

test("a logger says whether it debugs, so that nothing is put together in vain", () => {
  expect(createLogger("chat", "debug").debugs).toBe(true)
  expect(createLogger("chat", "info").debugs).toBe(false)
  expect(silentLogger.debugs).toBe(false)
})
