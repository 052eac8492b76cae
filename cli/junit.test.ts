import { expect, test } from "bun:test"
import { readReport } from "./junit.ts"

const report = `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="bun test" tests="4" assertions="1" failures="1" skipped="1" time="0.015">
  <testsuite name="a.test.ts" file="a.test.ts" tests="4" failures="1" skipped="1">
    <testcase name="says &quot;tests=&quot;" classname="" time="0" file="a.test.ts" line="2" />
    <testcase name="two" classname="" time="0" file="b&amp;c.test.ts" line="2"><failure /></testcase>
  </testsuite>
</testsuites>
`

test("a report gives its totals and its files", () => {
  expect(readReport(report)).toEqual({
    passed: 2,
    failed: 1,
    skipped: 1,
    files: new Set(["a.test.ts", "b&c.test.ts"]),
  })
})

test("a report that is cut off is none", () => {
  expect(() => readReport(report.slice(0, -20))).toThrow("cut off")
  expect(() => readReport("")).toThrow("cut off")
})
