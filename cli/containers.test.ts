import { afterAll, expect, test } from "bun:test"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Environment } from "@parley/platform/config.ts"
import { readAuthConfig } from "../auth/config.ts"
import { readChatConfig } from "../chat/config.ts"
import { readGatewayConfig } from "../gateway/config.ts"
import { inRoot } from "../platform/machine/root.ts"
import { readWebConfig } from "../web/config.ts"

interface Container {
  image: string
  user?: string
  read_only?: boolean
  cap_drop?: string[]
  build?: { target: string }
  environment?: Record<string, string>
  ports?: string[]
  secrets?: string[]
  healthcheck?: { test: string[] }
  deploy?: { replicas?: number; resources?: { limits?: { cpus?: string; memory?: string } } }
}

const read = (path: string) => readFileSync(inRoot(path), "utf8")
const dockerfile = read("Dockerfile")
const { services, volumes } = Bun.YAML.parse(read("compose.yaml")) as {
  services: Record<string, Container>
  volumes: Record<string, null>
}
const own = Object.entries(services).filter(([, { build }]) => build)

const folder = mkdtempSync(join(tmpdir(), "parley-containers-"))
writeFileSync(join(folder, "link-secret"), `${"x".repeat(44)}\n`)
afterAll(() => rmSync(folder, { recursive: true }))

/** As a container would see it: with the variables' defaults, and with its secrets. */
function environmentOf({ environment = {}, secrets = [] }: Container): Environment {
  const told = Object.entries(environment).map(([name, value]) => [
    name,
    value
      .replaceAll(/\$\{\w+:-([^}]*)\}/g, "$1")
      .replace(/^\/run\/secrets\/(.*)$/, (_, secret: string) =>
        secrets.includes(secret) ? join(folder, secret) : "/nowhere",
      ),
  ])
  return { HOST: "0.0.0.0", PORT: "4000", ...Object.fromEntries(told) }
}

test("compose.yaml runs a whole cluster, of which every container is shut in", () => {
  const replicas = (name: string) => services[name]?.deploy?.replicas ?? 1
  expect(Object.fromEntries(Object.keys(services).map((name) => [name, replicas(name)]))).toEqual({
    gateway: 2,
    auth: 2,
    chat: 3,
    web: 1,
    mongo: 1,
    kafka: 1,
  })
  for (const [name, { read_only, cap_drop, deploy, user, build }] of Object.entries(services)) {
    const limits = deploy?.resources?.limits
    expect({ name, read_only, cap_drop }).toEqual({ name, read_only: true, cap_drop: ["ALL"] })
    expect(`${name} ${limits?.memory} ${limits?.cpus}`).toMatch(/^\w+ \d+M [12]$/)
    // Of our own images the Dockerfile says it.
    if (!build) expect(user).toMatch(/^[1-9]\d*:[1-9]\d*$/)
  }
  expect(Object.keys(volumes)).toEqual(["mongo", "kafka"])
})

test("each service takes what its container is told", () => {
  const readers: Record<string, (environment: Environment) => object> = {
    auth: readAuthConfig,
    chat: readChatConfig,
    gateway: readGatewayConfig,
    web: readWebConfig,
  }
  expect(own.map(([name]) => name).toSorted()).toEqual(Object.keys(readers).toSorted())
  const config = (name: string) => readers[name]!(environmentOf(services[name]!))
  expect(config("chat")).toMatchObject({ cluster: { kafkaBrokers: ["kafka:9092"] } })
  expect(config("auth")).toMatchObject({
    mongodbUrl: "mongodb://mongo:27017/parley?replicaSet=rs0",
  })
  const auths = ["http://parley-auth-1:4000", "http://parley-auth-2:4000"]
  expect(config("gateway")).toMatchObject({ authUrls: auths, chatUrls: ["http://chat:4000"] })
  expect(config("web")).toMatchObject({ gatewayUrl: new URL("http://gateway:4000") })
})

test("the tests' engines find the ports that they ask for, on this machine alone", () => {
  expect(services.mongo?.ports).toEqual(["127.0.0.1:27017:27017"])
  expect(services.kafka?.ports).toEqual(["127.0.0.1:9094:9094"])
  expect(services.kafka?.environment?.KAFKA_ADVERTISED_LISTENERS).toContain("://127.0.0.1:9094")
  for (const name of ["mongo", "kafka"]) expect(services[name]?.healthcheck?.test).toBeArray()
})

test("the Dockerfile has an image for each service, which runs as an unprivileged user and has a health check", () => {
  for (const [, { build }] of own) {
    const stages = [build!.target]
    // A stage has what those have that it begins with.
    for (let stage = stages[0]; stage; ) {
      stage = new RegExp(`^FROM (\\S+) AS ${stage}$`, "m").exec(dockerfile)?.[1]
      if (stage) stages.push(stage)
    }
    expect(stages.length).toBeGreaterThan(1)
    const text = stages.map(
      (stage) => dockerfile.split(new RegExp(`^FROM \\S+ AS ${stage}$`, "m"))[1],
    )
    const final = text.map((after) => after?.split(/^FROM /m)[0] ?? "").join("\n")
    expect(final).toContain("USER 10001:10001")
    expect(final).toContain("HEALTHCHECK")
    expect(final).toContain("ENTRYPOINT")
  }
})

test("the health check passes what answers 200, and nothing else", async () => {
  const checks = [...dockerfile.matchAll(/^HEALTHCHECK .* CMD (\[[^\]]*\\\n.*\])$/gm)]
  expect(checks).toHaveLength(2)
  let status = 200
  await using server = Bun.serve({ port: 0, fetch: () => new Response("", { status }) })
  for (const [, given = ""] of checks) {
    const command: string[] = JSON.parse(given.replaceAll(/\\\n */g, ""))
    const run = () =>
      Bun.spawn(command.map((word) => word.replace("/4000", `/${server.port}`))).exited
    status = 200
    expect(await run()).toBe(0)
    for (status of [503, 307]) expect(await run()).toBe(1)
  }
})

test("the images are made of the versions and the packages that everything else is", () => {
  const { packageManager, workspaces, patchedDependencies } = JSON.parse(read("package.json"))
  expect(`bun@${/^ARG BUN=(.*)$/m.exec(dockerfile)?.[1]}`).toBe(packageManager)
  const kafka = /kafka_2\.13<\/artifactId>\s*<version>(.*)<\/version>/.exec(read("engines/pom.xml"))
  expect(services.kafka?.image).toBe(`apache/kafka:${kafka?.[1]}`)
  for (const patch of Object.values(patchedDependencies)) expect(patch).toMatch(/^patches\/[^/]+$/)
  expect(dockerfile).toContain("COPY patches patches\n")
  const ignored = read(".dockerignore").split("\n")
  for (const workspace of workspaces) {
    expect(dockerfile).toContain(`COPY ${workspace}/package.json ${workspace}/\n`)
    expect(
      ignored.some((line) => line === `!${workspace}` || line === `!${workspace}/package.json`),
    ).toBe(true)
  }
  for (const [, folders = ""] of dockerfile.matchAll(/^COPY (\w+) \w+$/gm)) {
    expect(ignored).toContain(`!${folders}`)
  }
})
