import { expect, test } from "bun:test"
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { inRoot } from "@parley/platform/machine/root.ts"
import { cpuMicros, processTree, rssBytes } from "@parley/testing/processes.ts"
import { figure, number, type Report, table } from "./report.ts"
import { median, percentile, summary } from "./stats.ts"

/** Far more than the two minutes that a short run takes: the web app and the engines may have to be fetched first. */
const RUN_WITHIN_MS = 480_000

test(
  "a short run of every scenario gives figures that make sense, and leaves nothing behind",
  async () => {
    const folder = mkdtempSync(join(tmpdir(), "parley-bench-test-"))
    const json = join(folder, "figures.json")
    const run = Bun.spawn(
      [process.execPath, inRoot("cli/bench/main.ts"), "--quick", "--json", json],
      {
        env: { ...process.env, TMPDIR: folder },
        stdout: "pipe",
        stderr: "pipe",
      },
    )
    const [printed, said] = await Promise.all([
      new Response(run.stdout).text(),
      new Response(run.stderr).text(),
    ])
    try {
      expect({ status: await run.exited, said }).toMatchObject({ status: 0 })
      const { reports, failed } = JSON.parse(readFileSync(json, "utf8")) as {
        reports: Report[]
        failed: string[]
      }
      expect(failed).toEqual([])
      const names = [
        "start",
        "pair",
        "flow",
        "query",
        "group",
        "idle",
        "cluster",
        "comeback",
        "long",
      ]
      expect(reports.map(({ scenario }) => scenario)).toEqual(names)
      for (const { scenario, figures } of reports) {
        expect(printed).toContain(`\n${scenario}: `)
        for (const { name, median, min, max } of figures) {
          expect({ name, finite: [median, min, max].every(Number.isFinite) }).toMatchObject({
            finite: true,
          })
        }
      }
      const value = (scenario: string, name: string) =>
        reports
          .find((report) => report.scenario === scenario)
          ?.figures.find((figure) => figure.name === name)?.median ?? Number.NaN
      expect(value("start", "to the ready line")).toBeWithin(0.1, 90)
      expect(value("start", "RSS idle, all processes")).toBeWithin(100, 2_000)
      expect(value("pair", "pair: at the other end, p50")).toBeWithin(0.05, 1_000)
      expect(value("flow", "flow: messages")).toBeWithin(10, 100_000)
      expect(value("flow", "flow: CPU, all services")).toBeWithin(20, 50_000)
      expect(value("query", "gateway: CPU, all")).toBeWithin(50, 50_000)
      expect(value("query", "chat directly: requests")).toBeWithin(10, 100_000)
      expect(value("group", "40 members: messages")).toBeWithin(1, 100_000)
      expect(value("idle", "RSS, gateway, with them")).toBeWithin(20, 2_000)
      expect(value("long", "unread, silent: 2,000 messages")).toBeWithin(1, 100_000)
      expect([
        ...new Bun.Glob("parley-bench-*").scanSync({ cwd: folder, onlyFiles: false }),
      ]).toEqual([])
      expect(startedIn(folder)).toEqual([])
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  },
  RUN_WITHIN_MS,
)

test("an unknown scenario is refused with the names of those there are", () => {
  const { exitCode, stderr } = Bun.spawnSync([
    process.execPath,
    inRoot("cli/bench/main.ts"),
    "speed",
  ])
  expect(exitCode).toBe(2)
  expect(stderr.toString()).toContain('There is no scenario "speed"')
  expect(stderr.toString()).toContain("start, pair, flow, query, group, idle")
})

test("percentiles are by nearest rank, and a median lies in the middle", () => {
  const hundred = Array.from({ length: 100 }, (_, index) => 100 - index)
  expect(percentile(hundred, 0.5)).toBe(50)
  expect(percentile(hundred, 0.99)).toBe(99)
  expect(percentile([7], 0.99)).toBe(7)
  expect(median([3, 1, 2])).toBe(2)
  expect(median([4, 1, 2, 3])).toBe(2.5)
  expect(summary([5, 1, 3])).toEqual({ median: 3, min: 1, max: 5 })
})

test("a figure is met or missed by its median, and a table says so", () => {
  const value = { median: 5, min: 1, max: 9 }
  expect(figure({ name: "a", unit: "ms", value, atMost: 5 }).met).toBe(true)
  expect(figure({ name: "a", unit: "ms", value, atLeast: 6 }).met).toBe(false)
  expect(figure({ name: "a", unit: "ms", value, atMost: 4, applies: false }).met).toBeUndefined()
  const figures = [figure({ name: "a", unit: "ms", value, atLeast: 6 })]
  const text = table({ scenario: "pair", about: "of two", figures })
  expect(text).toMatch(/a +5\.00 +1\.00 – 9\.00 +ms +≥ 6\.00 +MISSED/)
  expect([0, 0.1234, 1.234, 12.34, 1234.5].map(number)).toEqual([
    "0",
    "0.123",
    "1.23",
    "12.3",
    "1,235",
  ])
})

test("a process is read as the kernel knows it", () => {
  const before = cpuMicros(process.pid)
  const used = () => process.cpuUsage().user + process.cpuUsage().system
  const began = used()
  while (used() - began < 100_000) Math.sqrt(Math.random())
  expect(cpuMicros(process.pid) - before).toBeWithin(50_000, 5_000_000)
  const { rss } = process.memoryUsage()
  expect(rssBytes(process.pid) / rss).toBeWithin(0.7, 1.4)
  expect(processTree(process.pid).map(({ pid }) => pid)).toContain(process.pid)
  expect(existsSync(`/proc/${process.ppid}`)).toBe(true)
})

/** The processes that were given this folder for their temporary files. */
function startedIn(folder: string): string[] {
  return readdirSync("/proc").filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/environ`, "utf8").includes(folder)
    } catch {
      return false
    }
  })
}
