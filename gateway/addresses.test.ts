import { describe, expect, test } from "bun:test"
import { readConfig } from "@parley/platform/config.ts"
import * as v from "valibot"
import { clientAddress, networks } from "./addresses.ts"
import { ALICE } from "./test/fake-auth.ts"
import { startWorld } from "./test/world.ts"

const read = (TRUSTED: string) => readConfig(v.object({ TRUSTED: networks }), { TRUSTED }).TRUSTED
const proxies = read("10.0.0.0/8, 127.0.0.1,fd00::/8,::1")

describe("the address of whoever asks", () => {
  test.each([
    [
      "the peer's, where nobody is trusted",
      "203.0.113.7",
      "198.51.100.1",
      undefined,
      "203.0.113.7",
    ],
    [
      "the peer's, where it is no proxy of ours",
      "203.0.113.7",
      "10.1.1.1, 198.51.100.1",
      proxies,
      "203.0.113.7",
    ],
    ["the peer's, where a proxy says nothing", "10.0.0.1", null, proxies, "10.0.0.1"],
    ["what a proxy of ours heard", "10.0.0.1", "198.51.100.1", proxies, "198.51.100.1"],
    [
      "not what the client itself says",
      "10.0.0.1",
      "192.0.2.66, 198.51.100.1",
      proxies,
      "198.51.100.1",
    ],
    [
      "what the outermost proxy heard",
      "127.0.0.1",
      "192.0.2.66, 198.51.100.1,10.9.9.9",
      proxies,
      "198.51.100.1",
    ],
    [
      "the outermost proxy's, where all are ours",
      "127.0.0.1",
      "10.1.1.1, 10.2.2.2",
      proxies,
      "10.1.1.1",
    ],
    [
      "the last that can be read",
      "10.0.0.1",
      "198.51.100.1, unknown, 10.3.3.3",
      proxies,
      "10.3.3.3",
    ],
    ["the proxy's, where it says nonsense", "10.0.0.1", "'; drop table", proxies, "10.0.0.1"],
    ["without the port", "10.0.0.1", "198.51.100.1:4711", proxies, "198.51.100.1"],
    ["an IPv6 address", "::1", "2001:db8::7, fd00::1", proxies, "2001:db8::7"],
    [
      "an IPv6 address without brackets and port",
      "::1",
      "[2001:db8::7]:4711",
      proxies,
      "2001:db8::7",
    ],
    [
      "behind a proxy whose IPv4 address comes as IPv6",
      "::ffff:10.0.0.1",
      "198.51.100.1",
      proxies,
      "198.51.100.1",
    ],
    ["nothing, where the peer is gone", "", "198.51.100.1", proxies, ""],
  ] as const)("is %s", (_what, peer, forwardedFor, trusted, expected) => {
    expect(clientAddress(peer, forwardedFor, trusted)).toBe(expected)
  })
})

test.each([
  "proxy.example",
  "10.0.0.0/33",
  "10.0.0.0/",
  "10.0.0.0/8/8",
  "fd00::/129",
  "10.0.0.1,,::1",
  "10.0.0.0/-1",
])("%j names no networks", (given) => {
  expect(() => read(given)).toThrow(
    "TRUSTED cannot be used: it must be addresses and networks such as 10.0.0.7,192.168.0.0/16,fd00::/8.",
  )
})

test("auth hears of the address that a trusted proxy has heard, over HTTP and over sockets", async () => {
  await using world = await startWorld({ trustedProxies: read("127.0.0.1") })
  const headers = { "x-forwarded-for": "192.0.2.66, 198.51.100.1" }
  await world.ask("{ me { id } }", {}, headers)
  expect(world.auth.knobs.calls.at(-1)?.address).toBe("198.51.100.1")
  const init = await world.bearer(ALICE.id)
  const socket = await world.socket({ headers, init })
  socket.subscribe("who", "{ me { id } }")
  await socket.next("next")
  expect(world.auth.knobs.calls).toHaveLength(2)
  expect(world.auth.knobs.calls.at(-1)?.address).toBe("198.51.100.1")
})
