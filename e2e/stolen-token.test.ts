import { expect, test } from "bun:test"
import { startWorld } from "@parley/auth/test/world.ts"
import { startGateway } from "@parley/gateway/start.ts"
import { SECRET } from "@parley/gateway/test/fake-auth.ts"
import { startFakeChat } from "@parley/gateway/test/fake-chat.ts"
import { frontDoor } from "@parley/gateway/test/front-door.ts"
import { silentLogger as log } from "@parley/platform/log.ts"
import { createTokenVerifier, remoteKeys } from "@parley/platform/tokens.ts"
import { until } from "@parley/testing/until.ts"
import { Person } from "../testing/person.ts"

const EVENTS = "subscription { events { ... on MessageSent { message { text } } } }"
const ME = "{ me { username } }"
const MINUTE = 60_000

/** Auth and two gateways as they are, by a clock that a test moves. */
async function startServices() {
  const auth = await startWorld({ linkSecret: SECRET })
  const publicUrl = "http://localhost:4000"
  const { clock } = auth
  const tokens = createTokenVerifier({ keys: remoteKeys([auth.url]), issuer: publicUrl, clock })
  const chat = await startFakeChat({ tokens, log })
  const config = {
    port: 0,
    host: "127.0.0.1",
    publicUrl,
    linkSecret: SECRET,
    authUrls: [auth.url],
    chatUrls: [`http://127.0.0.1:${chat.port}`],
    webUrl: undefined,
    introspection: false,
    logLevel: "error" as const,
  }
  const gateways = await Promise.all(
    [0, 1].map(() => startGateway(config, { clock, log, every: 20 })),
  )
  const doors = gateways.map(({ port }) => frontDoor(`http://127.0.0.1:${port}`))
  for (const { url } of doors) {
    await until(async () => (await fetch(`${url}/readyz`)).ok, "a gateway")
  }
  return {
    pass: auth.pass,
    chat,
    doors,
    async [Symbol.asyncDispose]() {
      for (const door of doors) door.leave()
      for (const gateway of gateways) await gateway.stop()
      await chat.stop()
      await auth[Symbol.asyncDispose]()
    },
  }
}

test("a copied access token is worth its ten minutes, whatever its owner renews meanwhile", async () => {
  await using services = await startServices()
  const [here, there] = services.doors
  const owner = new Person(here!.url, "alice")
  await owner.signUp("Alice")
  const cookies = () => [...owner.cookies].map(([name, value]) => `${name}=${value}`).join("; ")
  const own = await here!.socket({ headers: { cookie: cookies() }, init: undefined })
  own.subscribe("live", EVENTS)

  const stolen = owner.token
  const mallory = new Person(here!.url, "mallory")
  await mallory.signUp("Mallory")
  // Sealed by auth as well, and another browser's.
  const device = `parley_device=${mallory.cookies.get("parley_device")}`
  const thieves = await Promise.all(
    services.doors.flatMap((door) => [
      door.socket({ init: { authorization: `Bearer ${stolen}` } }),
      door.socket({ headers: { cookie: `parley_access=${stolen}` }, init: undefined }),
      door.socket({ headers: { cookie: `parley_access=${stolen}; ${device}` }, init: undefined }),
    ]),
  )
  for (const thief of thieves) thief.subscribe("live", EVENTS)
  await until(() => services.chat.subscriptions.size === 1 + thieves.length, "the subscriptions")

  for (let renewals = 1; renewals <= 3; renewals++) {
    services.pass(7 * MINUTE)
    await owner.get("mutation { refreshSession { id } }")
    await owner.at(there!.url).get(ME)
  }
  for (const thief of thieves) expect((await thief.closed).code).toBe(4403)
  for (const door of services.doors) {
    const again = await door.socket()
    again.send({ type: "connection_init", payload: { authorization: `Bearer ${stolen}` } })
    expect((await again.closed).code).toBe(4403)
  }
  expect(own.isClosed).toBeFalse()
  own.subscribe("1", ME)
  expect((await own.next("next", "1")).payload).toEqual({ data: { me: { username: "alice" } } })
}, 60_000)

test("a browser that renewed through another gateway is closed once, and comes back with its cookie", async () => {
  await using services = await startServices()
  const [here, there] = services.doors
  const owner = new Person(there!.url, "alice")
  await owner.signUp("Alice")
  const cookies = () => [...owner.cookies].map(([name, value]) => `${name}=${value}`).join("; ")
  const socket = await here!.socket({ headers: { cookie: cookies() }, init: undefined })
  services.pass(9 * MINUTE)
  await owner.get("mutation { refreshSession { id } }")
  services.pass(2 * MINUTE)
  expect(await socket.closed).toEqual({ code: 4403, reason: "The access token has expired" })
  const again = await here!.socket({ headers: { cookie: cookies() }, init: undefined })
  again.subscribe("1", ME)
  await again.next("next", "1")
}, 60_000)
