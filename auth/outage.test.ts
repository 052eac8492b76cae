import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { join } from "node:path"
import type { Mongo } from "@parley/engines/mongo.ts"
import { startTestMongo } from "@parley/engines/test/mongo.ts"
import { SECRET_HEADER } from "@parley/link/protocol.ts"
import { claimPorts } from "@parley/platform/machine/ports.ts"
import { until } from "@parley/testing/until.ts"
import { Device, PASSWORD, SECRET, startWorld, type World } from "./test/world.ts"

/** On a busy machine; in ms. */
setDefaultTimeout(60_000)

/** Gives up soon: tests do not wait as people would. */
const hasty = (url: string) =>
  `${url}&socketTimeoutMS=1000&serverSelectionTimeoutMS=1000&heartbeatFrequencyMS=500`

const isReady = async (world: World) => (await fetch(`${world.url}/readyz`)).ok
const recovers = (world: World) => until(() => isReady(world), "auth to be ready again")

/** Everything that needs the store says that it is away, and that asking again may help. */
async function expectAway(world: World, device = world.device()) {
  const away = { extensions: { code: "UNAVAILABLE", retryable: true } }
  const tokenless = world.device()
  const answers = await Promise.all([
    tokenless.signUp("nobody"),
    tokenless.signIn("alice"),
    device.refresh(),
    device.ask("{ sessions { id } }"),
  ])
  for (const { data, errors } of answers) {
    expect(data).toBeFalsy()
    expect(errors).toMatchObject([away])
  }
  const ready = await fetch(`${world.url}/readyz`)
  expect(ready.status).toBe(503)
  expect(await ready.text()).toMatch(/^The MongoDB at 127\.0\.0\.1:\d+ .*\.\n$/)
  expect((await fetch(`${world.url}/healthz`)).status).toBe(200)
  const headers = { [SECRET_HEADER]: SECRET }
  const feed = await fetch(`${world.url}/internal/ended-sessions?after=0`, { headers })
  expect(feed.status).toBe(503)
}

describe("auth, while its MongoDB", () => {
  let mongo: Mongo
  let world: World
  beforeAll(async () => {
    mongo = await startTestMongo()
    world = await startWorld({ mongodbUrl: hasty(mongo.url) })
    await recovers(world)
    expect((await world.device().signUp("alice")).errors).toBeUndefined()
    // The first start ever fetches.
  }, 25 * 60_000)
  afterAll(async () => {
    await world[Symbol.asyncDispose]()
    await mongo.stop()
  })

  test("is killed, answers UNAVAILABLE, keeps its keys, and recovers by itself", async () => {
    const device = world.device()
    expect((await device.signIn("alice")).errors).toBeUndefined()
    await mongo.kill()
    await expectAway(world, device)
    // Whoever checks tokens needs no store.
    expect((await fetch(`${world.url}/.well-known/jwks.json`)).status).toBe(200)
    await mongo.restart()
    await recovers(world)
    expect(await device.isSignedIn()).toBeTrue()
    expect((await device.refresh()).errors).toBeUndefined()
  })

  test("is frozen, answers UNAVAILABLE in time, and recovers by itself", async () => {
    const device = world.device()
    expect((await device.signIn("alice")).errors).toBeUndefined()
    mongo.freeze()
    const before = performance.now()
    expect(await device.code("{ sessions { id } }")).toBe("UNAVAILABLE")
    expect(performance.now() - before).toBeLessThan(5_000)
    expect(await isReady(world)).toBeFalse()
    mongo.thaw()
    await recovers(world)
    expect(await device.isSignedIn()).toBeTrue()
  })
})

// These wait for the most part: side by side.
test.concurrent("an auth that starts before its MongoDB waits for it, and says so", async () => {
  const [port] = claimPorts(1)
  const url = `mongodb://127.0.0.1:${port}/?directConnection=true`
  // Its own clock is hours behind, and it must not go by that meanwhile.
  await using world = await startWorld({ mongodbUrl: hasty(url) }, {}, -2 * 60 * 60_000)
  const device = world.device()
  for (const [name, value] of [
    ["parley_access", "not.a.token"],
    ["parley_refresh", "session.1.token"],
  ] as const) {
    device.cookies.set(name, value)
  }
  await expectAway(world, device)
  const keys = await fetch(`${world.url}/.well-known/jwks.json`)
  expect(keys.status).toBe(503)
  expect(keys.headers.get("retry-after")).toBe("1")

  await using _ = await startTestMongo(port)
  await recovers(world)
  expect((await fetch(`${world.url}/.well-known/jwks.json`)).status).toBe(200)
  expect((await device.signUp("alice")).errors).toBeUndefined()
  expect(await device.isSignedIn()).toBeTrue()
})

describe("the process, on MongoDB,", () => {
  const run = (environment: Record<string, string>) =>
    Bun.spawn([process.execPath, join(import.meta.dir, "main.ts")], {
      env: {
        PATH: process.env.PATH,
        LINK_SECRET: SECRET,
        DATA_DIR: "/proc/parley",
        ...environment,
      },
      stdout: "pipe",
      stderr: "pipe",
    })
  async function listening({ stdout }: ReturnType<typeof run>): Promise<Device> {
    const { value } = await stdout.getReader().read()
    const [, port] = /^listening (\d+)\n$/.exec(new TextDecoder().decode(value)) ?? []
    return new Device({ url: `http://127.0.0.1:${port}` })
  }

  test.concurrent("needs no DATA_DIR, starts without MongoDB, and two of them are equal when one is killed", async () => {
    const [port] = claimPorts(1)
    const MONGODB_URL = hasty(`mongodb://127.0.0.1:${port}/parley?directConnection=true`)
    const [one, other] = [run({ MONGODB_URL }), run({ MONGODB_URL })]
    const [device, elsewhere] = await Promise.all([listening(one), listening(other)])
    await using _ = await startTestMongo(port)
    const signUp = async () => (await device.signUp("alice")).data?.signUp !== undefined
    await until(() => signUp(), "the sign-up")
    one.kill("SIGKILL")
    await one.exited
    for (const [name, value] of device.cookies) elsewhere.cookies.set(name, value)
    // It may still be about to find MongoDB.
    await until(() => elsewhere.isSignedIn(), "the other one to know her")
    expect((await elsewhere.refresh()).errors).toBeUndefined()
    expect((await elsewhere.signIn("alice", PASSWORD)).errors).toBeUndefined()
    other.kill("SIGTERM")
    expect(await other.exited).toBe(0)
  })

  test.concurrent("ends with one sentence and status 1 where MONGODB_URL cannot be used", async () => {
    const child = run({ MONGODB_URL: "mongodb://alice:hush@:27017/?w=nonsense" })
    expect(await child.exited).toBe(1)
    const said = await new Response(child.stderr).text()
    expect(said).toMatch(/^MONGODB_URL cannot be used: .*\.\n$/)
    expect(said).not.toContain("hush")
  })
})
