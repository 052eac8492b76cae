import { expect, test } from "bun:test"
import { silentLogger } from "@parley/platform/log.ts"
import { parse } from "graphql"
import { EVENT_VARIABLES, VARIANT_LENGTH, VARIANTS } from "../limits.ts"
import { createLog } from "../test/log-builder.ts"
import { createWorld } from "../test/world.ts"
import { createSubscriptionCompiler } from "./subscription-compiler.ts"

test("subscriptions share renderings by their variables, of a bounded number and length", async () => {
  await using world = await createWorld()
  const [{ schema, services, turns }] = world.nodes as [(typeof world.nodes)[number]]
  const compiler = createSubscriptionCompiler(schema, services, turns, silentLogger)
  const document = parse(`subscription ($before: String) { events { ... on MessageSent { message {
    conversation { messages(last: 1, before: $before) { edges { cursor } } } } } } }`)
  const of = (before: string) => compiler.of({ schema, document, variableValues: { before } })
  expect(of("a")).toBe(of("a"))
  expect(of("a")).not.toBe(of("b"))
  const long = "x".repeat(VARIANT_LENGTH)
  expect(of(long)).not.toBe(of(long))
  for (let i = 0; i < VARIANTS; i++) of(`${i}`)
  expect(of("a")).toBe(of("a"))
  expect(of("one more")).not.toBe(of("one more"))

  expect(() => of("x".repeat(EVENT_VARIABLES))).toThrow(
    expect.objectContaining({ code: "TOO_LARGE" }),
  )

  // What the last subscription has left makes room.
  const [b, unshared] = [of("b"), of("one more")]
  compiler.release(unshared)
  compiler.release(b)
  expect(of("b")).toBe(b)
  for (let i = 0; i < 3; i++) compiler.release(b)
  expect(of("one more")).toBe(of("one more"))
  expect(of("b")).not.toBe(b)
})

test("what one event may select is bounded, and what names all that has to be loaded anew has more", async () => {
  await using world = await createWorld()
  const [{ schema, services, turns }] = world.nodes as [(typeof world.nodes)[number]]
  const given: [bytes: number, items: number | undefined][] = []
  const counted: typeof turns = {
    ...turns,
    work(options) {
      given.push([options.bytes, options.items])
      return turns.work(options)
    },
  }
  const compiler = createSubscriptionCompiler(schema, services, counted, silentLogger)
  const document = parse("subscription { events { __typename } }")
  const compiled = compiler.of({ schema, document })
  const entry = createLog("c").founded("alice")
  await compiled.render({ kind: "entry", entry }, "alice")
  await compiled.render({ kind: "ready", recovered: true, reload: [] }, "alice")
  expect(given).toEqual([
    [256 * 1024, 2_000],
    [1024 * 1024, 12_000],
  ])
})
