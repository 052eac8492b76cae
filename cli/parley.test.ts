import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { inRoot } from "../platform/machine/root.ts"

/** A clone with nothing in it but the launcher; what it would hand over to says how it was called. */
const folder = mkdtempSync(join(tmpdir(), "parley-sh-"))
const clone = join(folder, "a clone")
const PINNED = Bun.version

beforeAll(() => {
  for (const sub of ["cli", "cli/bench"]) mkdirSync(join(clone, sub), { recursive: true })
  copyFileSync(inRoot("parley"), join(clone, "parley"))
  const manifest = { version: "1.2.3", packageManager: `bun@${PINNED}` }
  writeFileSync(join(clone, "package.json"), JSON.stringify(manifest, null, 2))
  writeFileSync(join(clone, "bunfig.toml"), "")
  const says = (who: string) => `console.log("${who}", ...process.argv.slice(2), Bun.version)`
  writeFileSync(join(clone, "cli/prepare.ts"), says("prepare"))
  writeFileSync(join(clone, "cli/main.ts"), says("parley"))
  writeFileSync(join(clone, "cli/bench/main.ts"), says("bench"))
})
afterAll(() => rmSync(folder, { recursive: true }))

/** A folder for PATH with these commands in it, each a shell script, beside the system's own. */
function path(commands: Record<string, string>): string {
  const bin = mkdtempSync(join(folder, "bin-"))
  for (const [name, script] of Object.entries(commands)) {
    writeFileSync(join(bin, name), `#!/bin/sh\n${script}\n`)
    chmodSync(join(bin, name), 0o755)
  }
  // Of the system only what the launcher may expect everywhere: no Bun, no npm, no curl.
  const tools = "sh bash sed sort readlink mkdir rm mv cat date sleep cp ln uname dirname".split(
    " ",
  )
  for (const tool of tools) {
    const real = Bun.which(tool)
    if (real && !existsSync(join(bin, tool))) symlinkSync(real, join(bin, tool))
  }
  return bin
}

async function call(
  args: string[],
  options: { PATH: string; cwd?: string; command?: string } = { PATH: "" },
) {
  const child = Bun.spawn([options.command ?? join(clone, "parley"), ...args], {
    cwd: options.cwd ?? folder,
    env: { PATH: options.PATH, HOME: folder },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  })
  const [status, out, err] = await Promise.all([
    child.exited,
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ])
  return { status, out, err }
}

const forgetBun = () => rmSync(join(clone, ".parley"), { recursive: true, force: true })
const withBun = () => path({ bun: `exec ${process.execPath} "$@"` })

describe("./parley", () => {
  test("is plain sh", async () => {
    for (const shell of ["sh", "dash"].filter((name) => Bun.which(name))) {
      const child = Bun.spawn([shell, "-n", inRoot("parley")], { stderr: "pipe" })
      expect(await new Response(child.stderr).text()).toBe("")
      expect(await child.exited).toBe(0)
    }
  })

  test("helps, without needing anything", async () => {
    for (const args of [[], ["help"], ["--help"]]) {
      const { status, out } = await call(args, { PATH: path({}) })
      expect(status).toBe(0)
      for (const command of ["start", "test", "bench"]) expect(out).toContain(`./parley ${command}`)
    }
  })

  test("says which version it is, without needing anything", async () => {
    for (const args of [["version"], ["--version"]]) {
      const { status, out } = await call(args, { PATH: path({}) })
      expect({ status, out }).toEqual({
        status: 0,
        out: `Parley 1.2.3\nBun ${PINNED}\n`,
      })
    }
  })

  test("answers an unknown command with one sentence and status 2", async () => {
    const { status, out, err } = await call(["strat"], { PATH: path({}) })
    expect({ status, out }).toEqual({ status: 2, out: "" })
    expect(err).toBe(`There is no command "strat": ./parley help lists them.\n`)
  })

  test("works from any folder, through links, and passes arguments on as they are", async () => {
    const there = join(folder, "elsewhere")
    mkdirSync(there)
    symlinkSync("../a clone/parley", join(there, "first"))
    symlinkSync("first", join(there, "second"))
    const { out, status } = await call(["test", "a b", "*"], {
      PATH: withBun(),
      cwd: there,
      command: "./second",
    })
    expect(out).toBe(`prepare packages ${PINNED}\nparley test a b * ${PINNED}\n`)
    expect(status).toBe(0)
  })

  test("builds the web app for what shows it, and hands the bench over", async () => {
    const PATH = withBun()
    expect((await call(["start"], { PATH })).out).toBe(
      `prepare packages web ${PINNED}\nparley start ${PINNED}\n`,
    )
    expect((await call(["build"], { PATH })).out).toBe(`prepare packages web ${PINNED}\n`)
    expect((await call(["bench", "pair"], { PATH })).out).toContain(`bench pair ${PINNED}`)
  })

  test("fetches Bun through npm where that on PATH is too old, once, and shows how long it took", async () => {
    forgetBun()
    // As npm lays it out where it runs no script: the package's own file is a placeholder.
    const npm = `mkdir -p node_modules/bun/bin node_modules/@oven/bun-x/bin node_modules/@oven/bun-y/bin
      echo "exit 1" > node_modules/bun/bin/bun.exe; echo broken > node_modules/@oven/bun-x/bin/bun
      chmod +x node_modules/bun/bin/bun.exe node_modules/@oven/bun-x/bin/bun
      ln -s ${process.execPath} node_modules/@oven/bun-y/bin/bun; echo noise`
    const old = path({ bun: "echo 1.0.36", npm })
    const first = await call(["test"], { PATH: old })
    expect(first.out).toContain(`parley test ${PINNED}`)
    expect(first.err).toMatch(/^• getting Bun [\d.]+ through npm … \d+ s\n$/)
    const second = await call(["test"], { PATH: path({ bun: "echo 1.0.36" }) })
    expect(second.out).toContain(`parley test ${PINNED}`)
    expect(second.err).toBe("")
    expect(readdirSync(join(clone, ".parley"))).toEqual([`bun-${PINNED}`])
  })

  test("fetches Bun by its own installer where npm is missing or fails", async () => {
    forgetBun()
    const curl = `while [ "$1" != -o ]; do shift; done
      echo 'mkdir -p "$BUN_INSTALL/bin"; ln -s ${process.execPath} "$BUN_INSTALL/bin/bun"' > "$2"`
    const { out, err } = await call(["test"], { PATH: path({ npm: "echo no; exit 1", curl }) })
    expect(out).toContain(`parley test ${PINNED}`)
    expect(err).toMatch(/by its own installer … \d+ s\n$/)
  })

  test("two at once on a bare machine both get there", async () => {
    forgetBun()
    const npm = `sleep 0.2; mkdir -p node_modules/@oven/bun-y/bin
      ln -s ${process.execPath} node_modules/@oven/bun-y/bin/bun`
    const PATH = path({ npm })
    const both = await Promise.all([call(["test"], { PATH }), call(["test"], { PATH })])
    for (const { out } of both) expect(out).toContain(`parley test ${PINNED}`)
  })

  test("says what to do where Bun cannot be had", async () => {
    forgetBun()
    const { status, out, err } = await call(["start"], { PATH: path({}) })
    expect({ status, out }).toEqual({ status: 1, out: "" })
    expect(err).toBe(
      `Bun ${PINNED} is missing and could not be fetched: install it from https://bun.com and try again.\n`,
    )
  })

  test("takes a newer Bun, and not an older one", async () => {
    forgetBun()
    for (const [version, taken] of [
      ["1.4.10", true],
      ["2.0.0", true],
      ["1.4.5-canary.1", true],
      ["1.3.99", false],
      ["0.9.9", false],
    ] as const) {
      writeFileSync(join(clone, "package.json"), `{ "packageManager": "bun@1.4.5" }`)
      const PATH = path({ bun: `[ "$1" = --version ] && echo ${version} || echo ran` })
      const { status } = await call(["test"], { PATH })
      expect([version, status === 0]).toEqual([version, taken])
    }
    const manifest = { version: "1.2.3", packageManager: `bun@${PINNED}` }
    writeFileSync(join(clone, "package.json"), JSON.stringify(manifest, null, 2))
  })
})
