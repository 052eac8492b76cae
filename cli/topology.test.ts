import { expect, test } from "bun:test"
import { readArguments } from "./topology.ts"

test("without arguments there is one of each service, and with --cluster as many chat nodes as it says", () => {
  expect(readArguments([])).toEqual({
    topology: { chat: 1, gateway: 1, auth: 1 },
    withEngines: false,
  })
  const three = { topology: { chat: 3, gateway: 2, auth: 2 }, withEngines: true }
  expect(readArguments(["--cluster", "3"])).toEqual(three)
  expect(readArguments(["--cluster=3"])).toEqual(three)
  expect(readArguments(["--cluster", "9"]).topology.chat).toBe(9)
})

test.each([
  [["now"], 'knows no "now"'],
  [["--port=80"], 'knows no "--port=80"'],
  [["-h"], 'knows no "-h"'],
  [["--cluster"], "from 1 to 9"],
  [["--cluster", "0"], "from 1 to 9"],
  [["--cluster", "10"], "from 1 to 9"],
  [["--cluster", "three"], "from 1 to 9"],
  [["--cluster=3=4"], "from 1 to 9"],
  [["--cluster", "3", "nodes"], 'not "nodes"'],
])("%j is refused in one sentence", (args, says) => {
  expect(() => readArguments(args)).toThrow(says)
  expect(() => readArguments(args)).toThrow(/^[^\n]+$/)
})
