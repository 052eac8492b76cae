import { afterAll, beforeAll, expect, test } from "bun:test"
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { inRoot } from "../platform/machine/root.ts"

/** A clone whose tests are those that a test puts there, with the tools of this one. */
const clone = mkdtempSync(join(tmpdir(), "parley-clone-"))

beforeAll(() => {
  const files = ["package.json", "bunfig.toml", "tsconfig.json"]
  for (const folder of ["cli", "platform/machine"]) {
    const sources = readdirSync(inRoot(folder)).filter((name) => /(?<!\.test)\.ts$/.test(name))
    files.push(...sources.map((name) => join(folder, name)))
  }
  for (const file of files) cpSync(inRoot(file), join(clone, file), { recursive: true })
  writeFileSync(join(clone, "biome.json"), "{}")
  // What is checked here is how checks are counted; the tools are replaced by ones that take no time.
  for (const tool of ["@biomejs/biome/bin/biome", "typescript/bin/tsc"]) {
    mkdirSync(join(clone, "node_modules", tool, ".."), { recursive: true })
    writeFileSync(
      join(clone, "node_modules", tool),
      `if (process.argv.includes("crooked")) { console.log("crooked line"); process.exit(1) }`,
    )
  }
})
afterAll(() => rmSync(clone, { recursive: true }))

function put(file: string, code: string) {
  mkdirSync(join(clone, file, ".."), { recursive: true })
  writeFileSync(join(clone, file), `import { expect, test } from "bun:test"\n${code}\n`)
}

async function runTests(args: string[], environment: Record<string, string> = {}) {
  const child = Bun.spawn([process.execPath, join(clone, "cli/main.ts"), "test", ...args], {
    cwd: tmpdir(),
    env: { ...process.env, PORT: "1", ...environment },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  })
  const [status, out, err] = await Promise.all([
    child.exited,
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ])
  return { status, out, err, last: out.trimEnd().split("\n").at(-1) }
}

test("sums up all checks, and tests see the engines of the user's settings alone", async () => {
  put("good/a.test.ts", `test("one", () => expect(process.env.PORT).toBeUndefined())`)
  put("good/c.test.ts", `test("four", () => expect(process.env.MONGODB_URL).toBe("mongodb://db"))`)
  put("good/b.test.ts", `test("two", () => {}); test.skip("three", () => {})`)
  const { status, last, out } = await runTests(["good"], { MONGODB_URL: "mongodb://db" })
  expect({ status, last }).toEqual({ status: 0, last: "5 passed, 0 failed" })
  expect(out).toContain("1 skipped")
})

test("shows a failure in full, and counts a tool that complains", async () => {
  put("bad/a.test.ts", `test("one", () => {}); test("two", () => expect("apples").toBe("pears"))`)
  const failing = await runTests(["bad"])
  expect(failing.status).toBe(1)
  expect(failing.last).toBe("3 passed, 1 failed")
  expect(failing.out).toContain("apples")

  put("crooked/a.test.ts", `test("one", () => {})`)
  const complaining = await runTests(["crooked"])
  expect(complaining).toMatchObject({ status: 1, last: "2 passed, 1 failed" })
  expect(complaining.out).toContain("crooked line")
})

test.each([
  ["cannot be loaded", `throw new Error("at load")`, /a\.test\.ts ran no test/],
  ["holds no test", "export const nothing = expect(test).toBeDefined()", /a\.test\.ts ran no test/],
  ["ends the process", `test("one", () => process.exit(0))`, /without a report/],
  ["is killed", `test("one", () => process.kill(process.pid, "SIGKILL"))`, /without a report/],
  ["fails after its tests", `test("one", () => {}); process.exitCode = 3`, /status 3|1 failed/],
])("counts a file as a failure that %s", async (_, code, says) => {
  put("broken/a.test.ts", code)
  put("broken/b.test.ts", `test("fine", () => {})`)
  const { status, last, out } = await runTests(["broken"])
  expect(status).toBe(1)
  expect(last).toMatch(/^\d+ passed, 1 failed$/)
  expect(out).toMatch(says)
})

test("tortures where the whole of it is tested, and counts each run as one", async () => {
  put("cli/torture/a.test.ts", `test("one", () => {})`)
  const main = `if (process.argv.includes("cluster")) { console.log("lost"); process.exit(1) }`
  writeFileSync(join(clone, "cli/torture/main.ts"), main)
  const whole = await runTests(["cli/torture"])
  expect(whole).toMatchObject({ status: 1, last: "5 passed, 1 failed" })
  expect(whole.out).toMatch(
    /✓ torture: embedded .*\n✗ torture: cluster .*\n +lost\n✓ torture: planted bugs /,
  )
  const part = await runTests(["cli/torture/a.test.ts"])
  expect(part).toMatchObject({ status: 0, last: "3 passed, 0 failed" })
})

test("attacks where the whole of that is tested, once the web app is built", async () => {
  put("cli/attack/a.test.ts", `test("one", () => {})`)
  writeFileSync(
    join(clone, "cli/attack/main.ts"),
    `if (!process.argv.includes("--quick")) process.exit(1)`,
  )
  writeFileSync(join(clone, "cli/prepare.ts"), "")
  const whole = await runTests(["cli/attack"])
  expect(whole).toMatchObject({ status: 0, last: "5 passed, 0 failed" })
  expect(whole.out).toMatch(/✓ web app builds .*\n✓ attack: embedded /)
  const part = await runTests(["cli/attack/a.test.ts"])
  expect(part).toMatchObject({ status: 0, last: "3 passed, 0 failed" })
})

test("refuses a folder that is not there", async () => {
  const { status, out, err } = await runTests(["nowhere"])
  expect({ status, out }).toEqual({ status: 2, out: "" })
  expect(err).toMatch(/^There is no folder "nowhere" in [^\n]+\n$/)
})
