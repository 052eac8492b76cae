import { afterAll, beforeAll, expect, spyOn, test } from "bun:test"
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { SECRET_HEADER } from "@parley/link/protocol.ts"
import { unavailable } from "@parley/platform/errors.ts"
import { ACCESS_TOKEN } from "@parley/platform/tokens.ts"
import { listening } from "@parley/testing/child.ts"
import { temporaryFolder } from "@parley/testing/folder.ts"
import { LIFTED_LIMITS } from "@parley/testing/lifted-limits.ts"
import { until } from "@parley/testing/until.ts"
import { exportJWK, generateKeyPair, SignJWT } from "jose"
import type { Bus } from "./bus/bus.ts"
import { createInProcessExchange } from "./bus/in-process.ts"
import { readChatConfig } from "./config.ts"
import { openStore } from "./store/store.ts"
import { openLink } from "./test/link.ts"
import { messageId } from "./test/log-builder.ts"
import { SECRET, startNode } from "./test/node.ts"
import { shareStore } from "./test/shared-store.ts"

const PUBLIC_URL = "http://localhost:4000"

/** What a chat process needs of auth: the public keys, and who exists. */
let auth: ReturnType<typeof Bun.serve>
let sign: (user: string) => Promise<string>
beforeAll(async () => {
  const { publicKey, privateKey } = await generateKeyPair(ACCESS_TOKEN.algorithm)
  const keys = [{ ...(await exportJWK(publicKey)), kid: "1", alg: ACCESS_TOKEN.algorithm }]
  auth = Bun.serve({
    port: 0,
    routes: {
      "/.well-known/jwks.json": Response.json({ keys }),
      "/graphql": async (request) => {
        const { variables } = (await request.json()) as { variables: { of: { id: string }[] } }
        return Response.json({ data: { _entities: variables.of.map(({ id }) => ({ id })) } })
      },
    },
  })
  sign = (user) =>
    new SignJWT({ sid: `session of ${user}` })
      .setProtectedHeader({ alg: ACCESS_TOKEN.algorithm, kid: "1" })
      .setSubject(user)
      .setIssuer(PUBLIC_URL)
      .setAudience(ACCESS_TOKEN.audience)
      .setExpirationTime("10m")
      .sign(privateKey)
})
afterAll(() => auth.stop(true))

/** A chat process of its own. */
function spawnChat(dataDir: string, changes: Record<string, string> = {}) {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "main.ts")], {
    env: {
      ...{ PORT: "0", DATA_DIR: dataDir, LINK_SECRET: SECRET, PUBLIC_URL, LOG_LEVEL: "warn" },
      AUTH_URL: `http://127.0.0.1:${auth.port}`,
      ...LIFTED_LIMITS,
      ...changes,
    },
    stdout: "pipe",
    stderr: "pipe",
  })
  return { child, complaint: () => new Response(child.stderr).text() }
}

const SEND = "mutation ($input: SendMessageInput!) { sendMessage(input: $input) { id seq } }"
const CREATE = `mutation { createGroup(title: "T", members: ["bob"]) { id } }`

/** Sends without end, several at once, and counts what is acknowledged. */
async function flood(port: number) {
  const token = await sign("alice")
  const link = await openLink({ port })
  const created = await link.ask("create", token, CREATE)
  const conversation = (created.payload as { data: { createGroup: { id: string } } }).data
    .createGroup.id
  let sent = 0
  const sendOne = () => {
    sent += 1
    const input = { id: messageId(), conversation, text: `${sent}` }
    link.subscribe(`m${sent}`, token, SEND, { input })
  }
  const acknowledged = () =>
    link.frames.flatMap(({ type, payload }) => {
      const message = (payload as { data?: { sendMessage?: { id: string; seq: number } } })?.data
      return type === "next" && message?.sendMessage ? [message.sendMessage] : []
    })
  const timer = setInterval(() => {
    // Each is answered by two frames: no more than some hundreds are under way.
    for (let i = 0; i < 20 && !link.isClosed && sent < 400 + link.frames.length / 2; i++) sendOne()
  }, 1)
  await until(() => acknowledged().length > 300, "300 messages")
  return { conversation, acknowledged, link, [Symbol.dispose]: () => clearInterval(timer) }
}

async function expectKept(
  dataDir: string,
  conversation: string,
  acknowledged: { id: string; seq: number }[],
) {
  await using store = await openStore({ dataDir })
  const log = await store.entries(conversation, 0, 1e6)
  expect(log.map(({ seq }) => seq)).toEqual(log.map((_, i) => i + 1))
  const places = new Map(
    log.flatMap((entry) => (entry.kind === "message" ? [[entry.id, entry.seq]] : [])),
  )
  expect(places.size).toBe(log.length - 1)
  for (const { id, seq } of acknowledged) expect(places.get(id)).toBe(seq)
  return places
}

test("a process that is told to stop while it is busy ends with status 0, and nothing acknowledged is lost", async () => {
  using folder = temporaryFolder()
  const chat = spawnChat(folder.path)
  using busy = await flood(await listening(chat.child))
  const stoppedAt = Date.now()
  chat.child.kill("SIGTERM")
  expect(await chat.child.exited).toBe(0)
  expect(Date.now() - stoppedAt).toBeLessThan(8_000)
  await busy.link.closed
  await expectKept(folder.path, busy.conversation, busy.acknowledged())
  expect(await chat.complaint()).not.toMatch(/"level":"(warn|error)"|^ {4}at /m)
}, 30_000)

test("a node that stops answers what it is writing before it closes the connection", async () => {
  using folder = temporaryFolder()
  const store = await openStore({ dataDir: folder.path })
  let stopping: Promise<void> | undefined
  const node = await startNode(folder.path, {
    store: {
      ...store,
      append(entries) {
        const written = store.append(entries)
        if (entries[0]!.seq > 1) stopping = node[Symbol.asyncDispose]()
        return written
      },
    },
  })
  const link = await openLink(node)
  const { payload } = await link.ask("create", "alice", CREATE)
  const { id: conversation } = (payload as { data: { createGroup: { id: string } } }).data
    .createGroup
  link.subscribe("m", "alice", SEND, { input: { id: messageId(), conversation, text: "the last" } })
  await link.closed
  await stopping
  expect(link.frames.find(({ id }) => id === "m")).toMatchObject({
    ...{ type: "next", payload: { data: { sendMessage: { seq: 2 } } } },
  })
})

test("a process that is killed while it is busy has kept everything that it acknowledged", async () => {
  using folder = temporaryFolder()
  const chat = spawnChat(folder.path)
  using busy = await flood(await listening(chat.child))
  chat.child.kill("SIGKILL")
  await chat.child.exited
  await busy.link.closed
  await expectKept(folder.path, busy.conversation, busy.acknowledged())

  const again = spawnChat(folder.path)
  const port = await listening(again.child)
  const ready = await fetch(`http://127.0.0.1:${port}/readyz`)
  expect(ready.status).toBe(200)
  await using link = await openLink({ port })
  const input = { id: messageId(), conversation: busy.conversation, text: "after it" }
  const { payload } = await link.ask("1", await sign("bob"), SEND, { input })
  expect(payload).toMatchObject({ data: { sendMessage: { id: input.id } } })
  again.child.kill("SIGTERM")
  expect(await again.child.exited).toBe(0)
}, 30_000)

test.each([
  ["a store that is none", {}, /^.*chat\.sqlite cannot be used.*\.\n$/],
  ["no address of auth", { AUTH_URL: "" }, /^AUTH_URL is missing\.\n$/],
  [
    "a short secret",
    { LINK_SECRET: "short" },
    /^LINK_SECRET cannot be used: .*32 characters.*\.\n$/,
  ],
  ["a port that is none", { PORT: "99999" }, /^PORT cannot be used: .*\.\n$/],
  ["a level that is none", { LOG_LEVEL: "loud" }, /^LOG_LEVEL cannot be used: .*\.\n$/],
] as [string, Record<string, string>, RegExp][])(
  "a process with %s says so in one sentence, and ends with status 1",
  async (_what, changes, sentence) => {
    using folder = temporaryFolder()
    mkdirSync(join(folder.path, "chat"))
    writeFileSync(join(folder.path, "chat", "chat.sqlite"), "This is a diary. ".repeat(500))
    const chat = spawnChat(folder.path, changes)
    expect(await chat.child.exited).toBe(1)
    expect(await chat.complaint()).toMatch(sentence)
  },
  20_000,
)

test("a node whose port is in use says so in one sentence, and lets go of the store", async () => {
  using folder = temporaryFolder()
  await using other = await startNode(folder.path)
  const store = await openStore({ dataDir: folder.path })
  const dispose = spyOn(store, Symbol.asyncDispose)
  await expect(startNode(folder.path, { store }, { port: other.port })).rejects.toMatchObject({
    name: "ConfigError",
    message: expect.stringMatching(/^PORT cannot be used: /),
  })
  expect(dispose).toHaveBeenCalledTimes(1)
})

test("a node whose store is gone is not ready, and says why", async () => {
  using folder = temporaryFolder()
  const store = await openStore({ dataDir: folder.path })
  await using node = await startNode(folder.path, { store })
  const ask = (path: string) => fetch(`http://127.0.0.1:${node.port}${path}`)
  expect((await ask("/readyz")).status).toBe(200)
  await store[Symbol.asyncDispose]()
  const response = await ask("/readyz")
  expect(response.status).toBe(503)
  expect(await response.text()).toBe("The store cannot be read just now.\n")
  expect((await ask("/healthz")).status).toBe(200)
  const { errors } = await node.ask("alice", "{ conversations { edges { cursor } } }")
  expect(errors?.[0]?.extensions).toEqual({ code: "UNAVAILABLE", retryable: true })
  const refused = await fetch(`http://127.0.0.1:${node.port}/graphql`, {
    headers: { [SECRET_HEADER]: "x" },
  })
  expect(refused.status).toBe(403)
})

test("a node whose bus is away is ready: nearly everything works without it", async () => {
  using folder = temporaryFolder()
  const bus: Bus = {
    ...createInProcessExchange().join(),
    state: () => ({ hears: false, speaks: false }),
    ping: () => Promise.reject(unavailable("Kafka cannot be used.")),
  }
  await using node = await startNode(folder.path, { bus })
  expect((await fetch(`http://127.0.0.1:${node.port}/readyz`)).status).toBe(200)
})

test("a node tells the gateway, and nobody else, which nodes there are", async () => {
  using folder = temporaryFolder()
  await using node = await startNode(folder.path)
  const ask = (headers: Record<string, string>) =>
    fetch(`http://127.0.0.1:${node.port}/internal/nodes`, { headers })
  expect(await (await ask({ [SECRET_HEADER]: SECRET })).json()).toEqual({
    partitions: 64,
    nodes: [{ id: "alone", url: `http://127.0.0.1:${node.port}`, draining: false }],
  })
  for (const headers of [{}, { [SECRET_HEADER]: "guessed" }]) {
    expect((await ask(headers as Record<string, string>)).status).toBe(403)
  }
})

test("a node that cannot know of the others does not let gateways go by what it says", async () => {
  using folder = temporaryFolder()
  const store = shareStore(await openStore({ dataDir: folder.path }))
  let isReachable = false
  const { all } = store.nodes
  store.nodes.all = () => (isReachable ? all() : Promise.reject(unavailable("not yet")))
  await using node = await startNode(folder.path, { store, beatEvery: 20 })
  const ask = async () => {
    const headers = { [SECRET_HEADER]: SECRET }
    return (await fetch(`http://127.0.0.1:${node.port}/internal/nodes`, { headers })).status
  }
  expect(await ask()).toBe(503)
  isReachable = true
  await until(async () => (await ask()) === 200, "the registry to be read")
  isReachable = false
  await until(async () => (await ask()) === 503, "what it knows to be old")
})

test.each([
  [{ MONGODB_URL: "mongodb://127.0.0.1:1" }, /^MONGODB_URL is set and KAFKA_BROKERS is not: .*\.$/],
  [{ KAFKA_BROKERS: "127.0.0.1:1" }, /^KAFKA_BROKERS is set and MONGODB_URL is not: .*\.$/],
  [{ MONGODB_URL: "postgres://x", KAFKA_BROKERS: "k:1" }, /^MONGODB_URL cannot be used: .*\.$/],
  [{ MONGODB_URL: "mongodb://m", KAFKA_BROKERS: "http://k" }, /^KAFKA_BROKERS cannot be used/],
  [{ GROUPS_PER_DAY: "0" }, /^GROUPS_PER_DAY cannot be used: .* whole number from 1 on/],
  [{ MESSAGES_PER_MINUTE: "many" }, /^MESSAGES_PER_MINUTE cannot be used: .* whole number/],
  [{ TEXT_BYTES_PER_DAY: "1e9" }, /^TEXT_BYTES_PER_DAY cannot be used: .* whole number/],
  [{ KAFKA_PARTITIONS: "0" }, /^KAFKA_PARTITIONS cannot be used: .* from 1 to 1024\.$/],
] as [Record<string, string>, RegExp][])("%p is refused with a sentence", (settings, sentence) => {
  const rest = { AUTH_URL: "http://127.0.0.1:1", LINK_SECRET: SECRET }
  expect(() => readChatConfig({ ...rest, ...settings })).toThrow(sentence)
})
