import { describe, expect, spyOn, test } from "bun:test"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { SECRET_HEADER } from "@parley/link/protocol.ts"
import { silentLogger } from "@parley/platform/log.ts"
import { listening } from "@parley/testing/child.ts"
import { temporaryFolder } from "@parley/testing/folder.ts"
import { readAuthConfig } from "./config.ts"
import { startAuth } from "./start.ts"
import { openSqliteStore } from "./store/sqlite/sqlite.ts"
import { CHEAP, configFor, Device, PASSWORD, SECRET, startWorld } from "./test/world.ts"

describe("the config", () => {
  test("has safe defaults for everything but the secret", () => {
    expect(readAuthConfig({ LINK_SECRET: SECRET })).toEqual({
      port: 0,
      host: "127.0.0.1",
      publicUrl: "http://localhost:4000",
      dataDir: "./data",
      mongodbUrl: undefined,
      linkSecret: SECRET,
      logLevel: "info",
      answerBytes: 2_097_152,
      observability: { metrics: undefined, traces: undefined },
      signUpsPerAddress: 1_000,
      guessesPerAddress: 200,
    })
  })

  test.each([
    [{}, "LINK_SECRET is missing."],
    [{ LINK_SECRET: "short" }, "LINK_SECRET cannot be used"],
    [{ LINK_SECRET: SECRET, PORT: "-1" }, "PORT cannot be used"],
    [{ LINK_SECRET: SECRET, SIGNUPS_PER_ADDRESS: "0" }, "SIGNUPS_PER_ADDRESS cannot be used"],
    [{ LINK_SECRET: SECRET, GUESSES_PER_ADDRESS: "many" }, "GUESSES_PER_ADDRESS cannot be used"],
  ])("refuses %j with a sentence", (environment, sentence) => {
    expect(() => readAuthConfig(environment)).toThrow(sentence)
  })
})

describe("starting", () => {
  test("in a DATA_DIR that cannot be written to is refused with a sentence", async () => {
    using folder = temporaryFolder()
    const file = join(folder.path, "a file")
    writeFileSync(file, "")
    for (const dataDir of [file, "/proc/parley"]) {
      await expect(startAuth(configFor(dataDir))).rejects.toMatchObject({
        name: "ConfigError",
        message: expect.stringMatching(/^DATA_DIR cannot be used: .*auth .*\.$/),
      })
    }
  })

  test("on a port in use fails, and lets go of the store", async () => {
    using folder = temporaryFolder()
    await using world = await startWorld()
    const port = Number(new URL(world.url).port)
    const store = openSqliteStore(folder.path)
    const dispose = spyOn(store, Symbol.asyncDispose)
    const starting = startAuth(configFor(folder.path, { port }), { store, hashing: CHEAP })
    await expect(starting).rejects.toMatchObject({
      name: "ConfigError",
      message: expect.stringMatching(/^PORT cannot be used: /),
    })
    expect(dispose).toHaveBeenCalledTimes(1)
  })

  test("two installations side by side know nothing of each other", async () => {
    await using one = await startWorld()
    await using two = await startWorld()
    await one.device().signUp("alice")
    const device = one.device()
    await device.signIn("alice")
    expect((await two.device().signIn("alice")).errors?.[0]?.extensions.code).toBe(
      "UNAUTHENTICATED",
    )
    expect(await two.device().code("{ sessions { id } }", {}, device.access)).toBe(
      "UNAUTHENTICATED",
    )
  })
})

describe("the door", () => {
  test("opens to the link secret only; health and keys are for everyone", async () => {
    await using world = await startWorld()
    const get = (path: string, headers = {}) => fetch(world.url + path, { headers })
    const post = (headers = {}) =>
      fetch(`${world.url}/graphql`, {
        method: "POST",
        headers: { "content-type": "application/json", ...headers },
        body: '{"query":"{ _service { sdl } }"}',
      })
    expect((await post()).status).toBe(403)
    expect((await post({ [SECRET_HEADER]: `${SECRET}x` })).status).toBe(403)
    expect((await post({ [SECRET_HEADER]: SECRET })).status).toBe(200)
    expect((await get("/healthz")).status).toBe(200)
    expect((await get("/readyz")).status).toBe(200)
    const keys = await get("/.well-known/jwks.json")
    expect(keys.headers.get("content-type")).toContain("application/jwk-set+json")
    expect(keys.headers.get("cache-control")).toMatch(/public, max-age=\d+/)

    const ended = "/internal/ended-sessions"
    expect((await get(ended)).status).toBe(403)
    expect((await get(ended, { [SECRET_HEADER]: "" })).status).toBe(403)
    const inside = { [SECRET_HEADER]: SECRET }
    expect(await (await get(ended, inside)).json()).toEqual({
      sessions: [],
      now: expect.any(Number),
      more: false,
    })
    for (const after of ["yesterday", "-1", "1e99", "NaN", "0x", "[]"]) {
      expect((await get(`${ended}?after=${after}`, inside)).status).toBe(400)
    }
  })

  test("is not ready while the store does not answer, and says so", async () => {
    using folder = temporaryFolder()
    const store = openSqliteStore(folder.path)
    const broken = { ...store, ping: () => Promise.reject(new Error("The store is away.")) }
    const config = configFor(folder.path)
    const auth = await startAuth(config, { store: broken, log: silentLogger, hashing: CHEAP })
    const response = await fetch(`http://127.0.0.1:${auth.port}/readyz`)
    expect(response.status).toBe(503)
    expect(await response.text()).toContain("The store is away.")
    await auth.stop()
  })

  test("masks what nobody outside should read", async () => {
    using folder = temporaryFolder()
    const secretive = () => Promise.reject(new Error("no such table: secrets"))
    const store = { ...openSqliteStore(folder.path), credentials: secretive }
    const auth = await startAuth(configFor(folder.path), {
      store,
      log: silentLogger,
      hashing: CHEAP,
    })
    const response = await fetch(`http://127.0.0.1:${auth.port}/graphql`, {
      method: "POST",
      headers: { "content-type": "application/json", [SECRET_HEADER]: SECRET },
      body: JSON.stringify({
        query: `mutation { signIn(input: { username: "alice", password: "${PASSWORD}" }) { id } }`,
      }),
    })
    const text = await response.text()
    expect(text).toContain('"INTERNAL"')
    expect(text).not.toContain("secrets")
    await auth.stop()
  })
})

describe("stopping", () => {
  test("finishes what is in flight: whoever was asking is answered, and it is stored", async () => {
    using folder = temporaryFolder()
    const config = configFor(folder.path)
    // Dear enough that the last ones still wait for their hash when the stop begins.
    const dear = { log: silentLogger, hashing: { memoryCost: 19_456, timeCost: 4 } }
    const auth = await startAuth(config, dear)
    const signUp = async (username: string) => {
      const response = await fetch(`http://127.0.0.1:${auth.port}/graphql`, {
        method: "POST",
        headers: { "content-type": "application/json", [SECRET_HEADER]: SECRET },
        body: JSON.stringify({
          query:
            "mutation($u: String!, $p: String!) { signUp(input: { username: $u, password: $p }) { username } }",
          variables: { u: username, p: PASSWORD },
        }),
      })
      return (await response.json()) as { data?: { signUp?: { username: string } } }
    }
    const names = ["alice", "bob", "carol", "dave", "erin", "frank"]
    const answers = names.map(signUp)
    await answers[0]
    await auth.stop()
    expect((await Promise.all(answers)).map(({ data }) => data?.signUp?.username)).toEqual(names)

    const store = openSqliteStore(join(folder.path, "auth"))
    for (const name of names) expect(await store.userByUsername(name)).toBeDefined()
    await store[Symbol.asyncDispose]()
  }, 30_000)

  test("forgets at the next start what has no meaning any more", async () => {
    await using world = await startWorld()
    const device = world.device()
    await device.signUp("alice")
    const [session] = await device.sessions()
    await device.ask("mutation { signOut }")
    world.pass(25 * 60 * 60 * 1000)
    await using store = openSqliteStore(join(world.dataDir, "auth"))
    expect(await store.session(session!.id)).toBeDefined()
    await world.restart()
    expect(await store.session(session!.id)).toBeUndefined()
  })
})

describe("the process", () => {
  const main = join(import.meta.dir, "main.ts")
  const run = (environment: Record<string, string>) =>
    Bun.spawn([process.execPath, main], {
      env: { PATH: process.env.PATH, LOG_LEVEL: "error", ...environment },
      stdout: "pipe",
      stderr: "pipe",
    })

  const worldOf = async (child: ReturnType<typeof run>) => ({
    url: `http://127.0.0.1:${await listening(child)}`,
  })

  test("says where it listens, keeps what it answered through kill -9, and stops on SIGTERM", async () => {
    using folder = temporaryFolder()
    const environment = { DATA_DIR: folder.path, LINK_SECRET: SECRET }
    const first = run(environment)
    const device = new Device(await worldOf(first))
    expect((await device.signUp("alice")).data?.signUp).toBeDefined()
    first.kill("SIGKILL")
    await first.exited

    const second = run(environment)
    const again = new Device(await worldOf(second))
    for (const [name, value] of device.cookies) again.cookies.set(name, value)
    expect(await again.isSignedIn()).toBeTrue()
    expect((await again.refresh()).data?.refreshSession).toBeDefined()
    second.kill("SIGTERM")
    expect(await second.exited).toBe(0)
  }, 60_000)

  test("ends with one sentence and status 1 where a setting cannot be used", async () => {
    const child = run({ DATA_DIR: "/proc/parley", LINK_SECRET: SECRET })
    expect(await child.exited).toBe(1)
    const said = await new Response(child.stderr).text()
    expect(said).toMatch(/^DATA_DIR cannot be used: .*\.\n$/)
  }, 30_000)
})
