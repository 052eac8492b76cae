import { expect, test } from "bun:test"
import { ROOT } from "../launcher/root.ts"

interface Source {
  path: string
  text: string
  imports: string[]
}

/** The services' own code, tests left out. */
async function sources(): Promise<Source[]> {
  const found: Source[] = []
  for await (const path of new Bun.Glob("{auth,chat,gateway,service}/**/*.ts").scan(ROOT)) {
    if (/\/(test|node_modules)\/|\.(test|contract|d)\.ts$/.test(path)) continue
    const text = await Bun.file(`${ROOT}/${path}`).text()
    const imports = [...text.matchAll(/(?:from|import\(?)\s*"([^"]+)"/g)].map(([, name]) => name!)
    found.push({ path, text, imports })
  }
  return found
}

const all = await sources()
const offenders = (breaks: (source: Source) => boolean) =>
  all.filter(breaks).map(({ path }) => path)

test("the domain knows no driver and no GraphQL", () => {
  const foreign =
    /^(graphql|@apollo\/|elysia|mongodb|kafkajs|bun:sqlite)|\/graphql\/|sqlite|in-process|mongo/
  const inDomain = ({ path }: Source) => path.includes("/domain/")
  expect(all.filter(inDomain).length).toBeGreaterThan(10)
  expect(offenders((s) => inDomain(s) && s.imports.some((name) => foreign.test(name)))).toEqual([])
})

test("the domain knows its ports by their types alone, and nothing of delivery", () => {
  const values = /^import (?!type )[^"]*"[^"]*\/(store|bus)\/[^"]+"/m
  const delivery = /\/delivery\//
  expect(
    offenders(
      ({ path, text, imports }) =>
        path.includes("/domain/") &&
        (values.test(text) || imports.some((name) => delivery.test(name))),
    ),
  ).toEqual([])
})

test("a driver is imported beside its port only, or where connections are made that know no data", () => {
  const driver = /^(bun:sqlite|mongodb|kafkajs)/
  const beside = /^(auth|chat)\/(store|bus)\/|^service\/mongo\.ts$/
  const users = all.filter(({ imports }) => imports.some((name) => driver.test(name)))
  expect(users.length).toBeGreaterThan(1)
  expect(users.map(({ path }) => path).filter((path) => !beside.test(path))).toEqual([])
})

test("only openStore and openBus know the engines", () => {
  const engine = /^(?!@parley\/service\/).*\/(sqlite|in-process|mongo|kafka)\.ts$/
  const port = /\/(store\/store|bus\/bus)\.ts$/
  expect(
    offenders((s) => s.imports.some((name) => engine.test(name)) && !port.test(s.path)),
  ).toEqual([])
})

test("only the router hands events to the hub and to the bus", () => {
  const sends = /\b(hub\.take|bus\.publish)\(/
  expect(offenders(({ text }) => sends.test(text))).toEqual(["chat/delivery/router.ts"])
})

test("the environment is read once, where a service starts", () => {
  // Named in quotes, it is a constant that a bundler replaces.
  const reads = /(?<!")(process|Bun)\.env\b/
  expect(offenders(({ path, text }) => reads.test(text) && !path.endsWith("/main.ts"))).toEqual([])
})

test("no service imports another one", () => {
  const services = ["auth", "chat", "gateway"]
  const crosses = ({ path, imports }: Source) => {
    const own = path.split("/")[0]!
    return imports.some((name) =>
      services.some((other) => other !== own && new RegExp(`(^|/)(@parley/)?${other}/`).test(name)),
    )
  }
  expect(offenders(crosses).filter((path) => !path.startsWith("service/"))).toEqual([])
})
