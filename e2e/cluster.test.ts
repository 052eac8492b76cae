import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { until } from "@parley/testing/until.ts"
import { newDatabase } from "../engines/test/mongo.ts"
import { launch } from "../testing/launch.ts"
import { Person } from "../testing/person.ts"
import { processes, rssBytes } from "../testing/processes.ts"
import { sharedEngines } from "../testing/topologies.ts"

const folder = mkdtempSync(join(tmpdir(), "parley-cluster-"))
const DATA_DIR = join(folder, "data")
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** No Docker, whatever there is: what is measured and killed here are the project's own engines. */
const start = () =>
  launch({ DATA_DIR, DOCKER_HOST: "unix:///nowhere", PUBLIC_URL: "http://localhost:4000" }, [
    "--cluster",
    "3",
  ])
type Launched = ReturnType<typeof start>

const servicesOf = (cluster: Launched) =>
  cluster.services().filter(({ command }) => /\/?main\.ts\b/.test(command))
/** With the shells that watch over them. */
const aroundEngines = () => processes().filter(({ command }) => command.includes(folder))
const engines = () => aroundEngines().filter(({ command }) => /^\S*java /.test(command))
const memoryOf = (pid: number) => rssBytes(pid) / 2 ** 20

const texts = async (person: Person, conversation: string) => {
  const { conversation: found } = await person.get<{
    conversation: { log: { message?: { text: string } }[] }
  }>(
    "query($c: ID!) { conversation(id: $c) { log(after: 0) { ... on MessageSent { message { text } } } } }",
    { c: conversation },
  )
  return found.log.flatMap(({ message }) => message?.text ?? [])
}

describe("a cluster on one machine", () => {
  let cluster: Launched
  let alice: Person
  let bob: Person
  let chat: string

  beforeAll(async () => {
    cluster = start()
    await cluster.ready()
    const [first, second] = cluster.gateways() as [string, string]
    alice = new Person(first, "alice")
    bob = new Person(second, "bob")
    await Promise.all([alice.signUp("Alice"), bob.signUp("Bob")])
    chat = await alice.chatWith(bob)
  }, 120_000)
  afterAll(() => cluster?.[Symbol.asyncDispose]())

  test("is ready with all its processes and engines, says where they are, and stays small", async () => {
    const scripts = servicesOf(cluster).map(({ command }) => /(\w+)\/main\.ts/.exec(command)?.[1])
    expect(scripts.toSorted()).toEqual(
      ["auth", "auth", "chat", "chat", "chat", "gateway", "gateway", "web"].toSorted(),
    )
    expect(cluster.out()).toBe("Parley is ready: http://localhost:4000\n")
    expect(cluster.err()).toMatch(/chat nodes at http:\S+ http:\S+ http:\S+$/m)
    expect(cluster.err()).toMatch(/MongoDB at mongodb:\S+$/m)
    expect(cluster.err()).toMatch(/Kafka at 127\.0\.0\.1:\d+$/m)
    for (const gateway of cluster.gateways()) {
      expect((await fetch(`${gateway}/sign-in`)).status).toBe(200)
    }
    expect(engines()).toHaveLength(2)
    const memory = engines().map(({ pid }) => memoryOf(pid))
    expect(memory.reduce((sum, one) => sum + one)).toBeLessThan(900)
  })

  test("carries a message from one gateway to another", async () => {
    const his = bob.read()
    await his.ready()
    await alice.deliver(chat, "Hello from the other side")
    await until(() => his.messages(chat).length === 1, "Bob to hear Alice")
    await his.stop()
  })

  test("starts an engine that is killed again, on the same data and port, and goes on", async () => {
    const [his, before] = [bob.read(), engines()]
    await his.ready()
    for (const { pid } of before) {
      const said = cluster.err().split("serves again").length
      process.kill(pid, "SIGKILL")
      await until(() => cluster.err().split("serves again").length > said, "it to serve", 60_000)
    }
    expect(engines()).toHaveLength(2)
    const ports = (all: typeof before) => all.map(({ command }) => command).toSorted()
    expect(ports(engines())).toEqual(ports(before))
    expect(engines().some(({ pid }) => before.some((one) => one.pid === pid))).toBe(false)
    expect(cluster.err()).toMatch(
      /Kafka broker 1 was ended by signal 9; starting it again in 100 ms/,
    )
    await alice.deliver(chat, "After the engines")
    await until(() => his.messages(chat).includes("After the engines"), "Bob to hear Alice")
    await his.stop()
  }, 150_000)

  test("stops in order within ten seconds, and goes on where it was", async () => {
    // What is acknowledged at the last moment is acknowledged.
    const acknowledged: string[] = []
    const sending = (async () => {
      for (let index = 0; ; index += 1) {
        const { data } = await alice.send(chat, `Last words ${index}`)
        if (!data) return
        acknowledged.push(`Last words ${index}`)
      }
    })().catch(() => {})
    await until(() => acknowledged.length > 20, "some messages")
    const began = performance.now()
    cluster.child.kill("SIGTERM")
    expect(await cluster.child.exited).toBe(0)
    expect(performance.now() - began).toBeLessThan(10_000)
    await sending
    expect(aroundEngines()).toEqual([])
    const stopped = [...cluster.err().matchAll(/^(\w+)\S* +│.*"event":"stopping"/gm)].map(
      ([, who]) => who,
    )
    expect(stopped.slice(0, 2)).toEqual(["gateway", "gateway"])
    expect(stopped.slice(-2)).toEqual(["auth", "auth"])

    cluster = start()
    await cluster.ready()
    alice = alice.at(cluster.gateways()[1]!)
    const all = await texts(alice, chat)
    const found = all.slice(all.indexOf(acknowledged[0]!))
    expect(found.slice(0, acknowledged.length)).toEqual(acknowledged)
    // One more may have been stored, and not answered any more.
    expect(found.length).toBeLessThanOrEqual(acknowledged.length + 1)
  }, 120_000)

  test("leaves nothing behind where its launcher is killed, and starts again on what it had", async () => {
    await alice.deliver(chat, "Still there?")
    const pids = [...servicesOf(cluster), ...aroundEngines()].map(({ pid }) => pid)
    cluster.child.kill("SIGKILL")
    await cluster.child.exited
    await until(() => !processes().some(({ pid }) => pids.includes(pid)), "all of it to end")
    cluster = start()
    await cluster.ready()
    alice = alice.at(cluster.gateways()[0]!)
    expect((await texts(alice, chat)).at(-1)).toBe("Still there?")
  }, 120_000)

  test("ends within ten seconds where a chat node hangs, too", async () => {
    process.kill(
      servicesOf(cluster).find(({ command }) => command.includes("chat"))!.pid,
      "SIGSTOP",
    )
    const began = performance.now()
    cluster.child.kill("SIGTERM")
    expect(await cluster.child.exited).toBe(0)
    expect(performance.now() - began).toBeLessThan(10_000)
    await until(() => aroundEngines().length === 0, "the engines to end")
  }, 30_000)
})

test("one of each service runs on the engines that the environment names, and keeps nothing but the link secret", async () => {
  const { mongodbUrl, kafkaBrokers } = await sharedEngines()
  await using database = newDatabase({ url: mongodbUrl })
  const environment = { MONGODB_URL: database.url, KAFKA_BROKERS: kafkaBrokers }
  await using parley = launch(environment)
  const url = await parley.ready()
  expect(parley.services()).toHaveLength(4)
  const [alice, bob] = [new Person(url, "alice"), new Person(url, "bob")]
  await Promise.all([alice.signUp("Alice"), bob.signUp("Bob")])
  await alice.deliver(await alice.chatWith(bob), "Kept elsewhere")
  const kept = readdirSync(join(parley.folder, "data"), { recursive: true })
  // The lock is a database of SQLite's, with nothing in it.
  expect(kept.filter((name) => !/^lock(-journal)?$/.test(String(name)))).toEqual(["link-secret"])
}, 120_000)
