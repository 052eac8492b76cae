import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { join } from "node:path"
import { until } from "@parley/testing/until.ts"
import { isReady, launch } from "../testing/launch.ts"
import { processes } from "../testing/processes.ts"

describe("a running Parley", () => {
  let alice: ReturnType<typeof launch>
  let bob: ReturnType<typeof launch>
  let url: string

  beforeAll(async () => {
    alice = launch()
    bob = launch()
    url = await alice.ready()
    await bob.ready()
  })
  afterAll(async () => {
    await bob[Symbol.asyncDispose]()
    await alice[Symbol.asyncDispose]()
  })

  test("is ready to the web app when it says so, and lives beside another one", async () => {
    expect(url).not.toBe(await bob.ready())
    for (const one of [alice, bob]) {
      const address = await one.ready()
      expect(await isReady(address)).toBe(true)
      expect((await fetch(`${address}/sign-in`)).status).toBe(200)
      expect(one.services()).toHaveLength(4)
    }
  })

  test("is refused where its port or its data folder is taken", async () => {
    const dataDir = join(alice.folder, "data")
    for (const [environment, sentence] of [
      [{ PORT: new URL(url).port }, /^Port \d+ is in use: [^\n]+\n$/],
      [{ DATA_DIR: dataDir }, /^Another Parley is running on the data folder [^\n]+\n$/],
    ] as const) {
      await using third = launch(environment)
      expect(await third.child.exited).toBe(1)
      expect(third.err()).toMatch(sentence)
      expect(third.out()).toBe("")
    }
    expect(await isReady(url)).toBe(true)
  })

  test("starts a killed service again, and is ready again", async () => {
    const chat = alice.services().find(({ command }) => command.endsWith("chat/main.ts"))
    process.kill(chat?.pid ?? 0, "SIGKILL")
    await until(
      () => alice.err().includes("chat was ended by SIGKILL; starting it again"),
      "the restart",
    )
    await until(() => isReady(url), "readiness")
    const again = alice.services().find(({ command }) => command.endsWith("chat/main.ts"))
    expect(again?.pid).not.toBe(chat?.pid)
  })

  test("takes its services with it when it is killed, and its data folder is free at once", async () => {
    const pids = bob.services().map(({ pid }) => pid)
    bob.child.kill("SIGKILL")
    await bob.child.exited
    await until(() => !processes().some(({ pid }) => pids.includes(pid)), "the services to end")
    await using next = launch({ DATA_DIR: join(bob.folder, "data") })
    await next.ready()
  })

  test("stops in order and with status 0 on SIGTERM, having said one line", async () => {
    const began = performance.now()
    const pids = alice.services().map(({ pid }) => pid)
    alice.child.kill("SIGTERM")
    expect(await alice.child.exited).toBe(0)
    expect(performance.now() - began).toBeLessThan(10_000)
    expect(alice.out()).toBe(`Parley is ready: ${url}\n`)
    expect(processes().some(({ pid }) => pids.includes(pid))).toBe(false)
    const stopped = [...alice.err().matchAll(/^(\w+) +│.*"event":"stopping"/gm)].map(
      ([, who]) => who,
    )
    expect([stopped[0], stopped.slice(1, 3).toSorted(), stopped[3]]).toEqual([
      "gateway",
      ["chat", "web"],
      "auth",
    ])
  })
})

describe("a Parley that cannot start", () => {
  test.each([
    ["a bad port", { PORT: "http" }, /^PORT cannot be used: /],
    ["a bad address", { PUBLIC_URL: "localhost" }, /^PUBLIC_URL cannot be used: /],
    ["a bad log level", { LOG_LEVEL: "loud" }, /^LOG_LEVEL cannot be used: /],
    ["a setting of one service", { SIGNUPS_PER_ADDRESS: "-1" }, /^SIGNUPS_PER_ADDRESS cannot/],
    ["an address of another machine", { HOST: "192.0.2.1", PORT: "4999" }, /set HOST to/],
    ["one engine of two", { MONGODB_URL: "mongodb://127.0.0.1" }, /^MONGODB_URL is set and KAFKA_/],
    ["the other engine of two", { KAFKA_BROKERS: "127.0.0.1:9092" }, /^KAFKA_BROKERS is set and /],
    ["a data folder below a file", { DATA_DIR: "/dev/null/data" }, /^The data folder /],
  ])("says why in one sentence: %s", async (_, environment, sentence) => {
    await using parley = launch(environment)
    expect(await parley.child.exited).toBe(1)
    expect(parley.err()).toMatch(sentence)
    expect(parley.err()).toMatch(/^[^\n]+\n$/)
    expect(parley.out()).toBe("")
    expect(parley.services()).toEqual([])
  })

  test.each([
    [["now"], /^\.\/parley start knows no "now"/],
    [["--cluster", "ten"], /^--cluster needs the number of chat nodes/],
  ])("says why in one sentence: arguments %j", async (args, sentence) => {
    await using parley = launch({}, args)
    expect(await parley.child.exited).toBe(1)
    expect(parley.err()).toMatch(sentence)
    expect(parley.err()).toMatch(/^[^\n]+\n$/)
    expect(parley.services()).toEqual([])
  })

  test("ends with status 0 where it is told to stop while it starts", async () => {
    await using parley = launch()
    await until(() => parley.services().length === 4, "four services")
    parley.child.kill("SIGINT")
    expect(await parley.child.exited).toBe(0)
    expect(parley.services()).toEqual([])
  })
})
