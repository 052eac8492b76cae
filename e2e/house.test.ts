import { expect, test } from "bun:test"
import { dirname, join } from "node:path"
import { ROOT } from "../platform/machine/root.ts"

interface Source {
  path: string
  text: string
  imports: string[]
}

const FOLDERS = "{platform,link,auth,chat,gateway,web,engines,testing,cli,e2e,docs}"
const PACKAGE = /^@parley\/(\w+)\//
/** The one package whose folder has another name. */
const FOLDER_OF: Record<string, string> = { bench: "cli/bench" }

const isTest = (path: string) =>
  /^(testing|e2e)\/|\/test\/|\.(test|contract|faults|browser|vectors)\.tsx?$|\/testing\.ts$/.test(
    path,
  )

/** The path inside the clone of what a file imports; a package of others stays as it is named. */
function resolved(path: string, name: string): string {
  if (name.startsWith(".")) return join(dirname(path), name)
  return name.replace(PACKAGE, (_, folder: string) => `${FOLDER_OF[folder] ?? folder}/`)
}

async function sources(): Promise<Source[]> {
  const found: Source[] = []
  for await (const path of new Bun.Glob(`${FOLDERS}/**/*.{ts,tsx}`).scan(ROOT)) {
    if (/(^|\/)(node_modules|\.next)\/|\.d\.ts$/.test(path)) continue
    const text = await Bun.file(`${ROOT}/${path}`).text()
    const imports = [...text.matchAll(/(?:from|import\(?)\s*"([^"]+)"/g)].map(([, name]) =>
      resolved(path, name!),
    )
    found.push({ path, text, imports })
  }
  return found
}

const everything = await sources()
/** The services' own code, tests left out. */
const all = everything.filter(
  ({ path }) => /^(auth|chat|gateway|link|platform)\//.test(path) && !isTest(path),
)
const offenders = (breaks: (source: Source) => boolean) =>
  all.filter(breaks).map(({ path }) => path)

/** What the code of each folder may import from the others; tests may use everything. */
const BELOW: Record<string, readonly string[]> = {
  platform: [],
  link: ["platform"],
  auth: ["link", "platform"],
  chat: ["link", "platform"],
  gateway: ["link", "platform"],
  web: ["platform"],
  engines: ["platform"],
  cli: ["auth", "chat", "gateway", "web", "link", "platform", "engines", "testing"],
  docs: ["platform", "testing"],
}

test("no import runs up, from one folder of the house to one above it", () => {
  const upward = everything
    .filter(({ path }) => !isTest(path))
    .flatMap(({ path, imports }) => {
      const own = path.split("/")[0]!
      return imports
        .map((name) => ({ path, to: name.split("/")[0]!, name }))
        .filter(({ to }) => to in { ...BELOW, testing: 0, e2e: 0 } && to !== own)
        .filter(({ to }) => !BELOW[own]!.includes(to))
        .map(({ path, name }) => `${path} imports ${name}`)
    })
  expect(upward).toEqual([])
})

test("the services know nothing of the clone that they lie in", () => {
  const machine = (name: string) => name.startsWith("platform/machine/")
  expect(offenders(({ path, imports }) => !machine(path) && imports.some(machine))).toEqual([])
})

test("the domain knows no driver and no GraphQL", () => {
  const foreign =
    /^(graphql|@apollo\/|elysia|mongodb|kafkajs|bun:sqlite)|\/graphql\/|\/sqlite\/|in-process|\/mongo\/|^link\//
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
  const beside = /^(auth|chat)\/(store|bus)\/(\w[\w-]*\/)?|^platform\/(mongo|machine\/lock)\.ts$/
  const users = all.filter(({ imports }) => imports.some((name) => driver.test(name)))
  expect(users.length).toBeGreaterThan(1)
  expect(users.map(({ path }) => path).filter((path) => !beside.test(path))).toEqual([])
})

test("only openStore and openBus know the engines", () => {
  const engine = /^(auth|chat)\/(store|bus)\/(sqlite|mongo|kafka)\/|\/in-process\.ts$/
  const port = /\/(store\/store|bus\/bus)\.ts$/
  expect(
    offenders((s) =>
      s.imports.some(
        (name) => engine.test(name) && !port.test(s.path) && dirname(name) !== dirname(s.path),
      ),
    ),
  ).toEqual([])
})

test("only the publisher hands events to the hub and to the bus", () => {
  const sends = /\b(hub\.take|bus\.publish)\(/
  expect(offenders(({ text }) => sends.test(text))).toEqual(["chat/delivery/publisher.ts"])
})

test("the environment is read once, where a service starts", () => {
  // Named in quotes, it is a constant that a bundler replaces.
  const reads = /(?<!")(process|Bun)\.env\b/
  expect(
    offenders(
      ({ path, text }) =>
        reads.test(text) && !path.endsWith("/main.ts") && !path.startsWith("platform/machine/"),
    ),
  ).toEqual([])
})

test("no service imports another one", () => {
  const services = ["auth", "chat", "gateway"]
  const crosses = ({ path, imports }: Source) =>
    imports.some((name) =>
      services.some((other) => !path.startsWith(`${other}/`) && name.startsWith(`${other}/`)),
    )
  expect(offenders(crosses)).toEqual([])
})
