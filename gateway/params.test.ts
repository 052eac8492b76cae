import { expect, test } from "bun:test"
import { ParleyError } from "@parley/platform/errors.ts"
import { MAX_BODIES_PER_ADDRESS } from "./limits.ts"
import { createBodies } from "./params.ts"

/** A body that has begun and does not end before it is told to. */
function endless() {
  const { promise, resolve } = Promise.withResolvers<void>()
  const body = new ReadableStream<Uint8Array>({
    async start(controller) {
      controller.enqueue(Buffer.from('{"query":'))
      await promise
      controller.enqueue(Buffer.from('"{ id }"}'))
      controller.close()
    },
  })
  return { request: new Request("http://gateway/graphql", { method: "POST", body }), end: resolve }
}

const BODY = '{"query":"{ id }"}'
const small = () => {
  const body = BODY
  const headers = { "content-length": String(body.length) }
  return new Request("http://gateway/graphql", { method: "POST", body, headers })
}

test("one address cannot hold more than some long bodies, and small ones are read all the same", async () => {
  const bodies = createBodies()
  const held = Array.from({ length: MAX_BODIES_PER_ADDRESS }, endless)
  const reading = held.map(({ request }) => bodies.read(request, "10.0.0.1"))
  const refused = bodies.read(endless().request, "10.0.0.1")
  expect(await refused.catch((error: ParleyError) => error)).toMatchObject({ code: "RATE_LIMITED" })
  expect(await bodies.read(small(), "10.0.0.1")).toBe(BODY)
  const other = endless()
  const ofOther = bodies.read(other.request, "10.0.0.2")
  other.end()
  expect(await ofOther).toBe(BODY)
  for (const { end } of held) end()
  expect(await Promise.all(reading)).toHaveLength(MAX_BODIES_PER_ADDRESS)
  const again = endless()
  again.end()
  expect(await bodies.read(again.request, "10.0.0.1")).toBe(BODY)
})

test("the addresses of one IPv6 network are one address", async () => {
  const bodies = createBodies()
  const held = Array.from({ length: MAX_BODIES_PER_ADDRESS }, endless)
  const reading = held.map(({ request }, i) => bodies.read(request, `2001:db8::${i + 1}`))
  const refused = bodies.read(endless().request, "2001:db8::ffff")
  expect(await refused.catch((error: ParleyError) => error)).toMatchObject({ code: "RATE_LIMITED" })
  for (const { end } of held) end()
  await Promise.all(reading)
})

test("a body that is too long is refused while it is read", async () => {
  const body = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(new Uint8Array(64 * 1024)),
  })
  const request = new Request("http://gateway/graphql", { method: "POST", body })
  const refused = await createBodies()
    .read(request, "10.0.0.1")
    .catch((error: ParleyError) => error)
  expect(refused).toBeInstanceOf(ParleyError)
  expect(refused).toMatchObject({ code: "TOO_LARGE" })
})

/** A body of so many characters, whose length is told or not. */
function sized(characters: number, isTold = false) {
  const start = '{"query":"{ id }","extensions":{"pad":"'
  const body = `${start}${"x".repeat(characters - start.length - 3)}"}}`
  const request = new Request("http://gateway/graphql", { method: "POST", body })
  if (isTold) request.headers.set("content-length", String(body.length))
  return request
}
const codeOf = (reading: Promise<unknown>) =>
  reading.then(
    () => "read",
    (error: ParleyError) => error.code,
  )

test("a body has up to 256 KiB, whether its length is told or not", async () => {
  const { read } = createBodies()
  for (const isTold of [true, false]) {
    expect(await codeOf(read(sized(256 * 1024, isTold), "10.0.0.1"))).toBe("read")
    expect(await codeOf(read(sized(256 * 1024 + 1, isTold), "10.0.0.1"))).toBe("TOO_LARGE")
  }
})

test("a body of more than 16 KiB is a long one, and all addresses together may have 256 of them", async () => {
  const { read } = createBodies()
  const held = Array.from({ length: 256 }, endless)
  const reading = held.map(({ request }, i) => read(request, `10.0.0.${i >> 5}`))
  expect(await codeOf(read(sized(16 * 1024, true), "10.1.0.1"))).toBe("read")
  expect(await codeOf(read(sized(16 * 1024 + 1, true), "10.1.0.1"))).toBe("UNAVAILABLE")
  for (const { end } of held) end()
  await Promise.all(reading)
  expect(await codeOf(read(sized(16 * 1024 + 1, true), "10.1.0.1"))).toBe("read")
})
