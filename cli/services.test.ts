import { describe, expect, test } from "bun:test"
import { type Installation, metricsWhereabouts, servicesOf } from "./services.ts"

const installation: Installation = {
  host: "0.0.0.0",
  dataDir: "/data",
  publicUrl: "http://localhost:4000",
  linkSecret: "s".repeat(44),
  engines: { mongodbUrl: "mongodb://db1,db2/parley", kafkaBrokers: "k1:9092,k2:9092" },
  ports: { auth: [1, 2], chat: [3, 4, 5], web: [6], gateway: [4000, 7] },
}
const told = (name: string, environment = {}) =>
  servicesOf(installation, environment).find((service) => service.name === name)?.environment

describe("in a cluster", () => {
  test("each process has a name, a port and what it needs to find the others", () => {
    const services = servicesOf(installation, {})
    expect(services.map(({ name, script }) => `${name} ${script}`)).toEqual([
      "auth-1 auth/main.ts",
      "auth-2 auth/main.ts",
      "chat-1 chat/main.ts",
      "chat-2 chat/main.ts",
      "chat-3 chat/main.ts",
      "gateway-1 gateway/main.ts",
      "gateway-2 gateway/main.ts",
      "web web/main.ts",
    ])
    const AUTH_URL = "http://127.0.0.1:1,http://127.0.0.1:2"
    const engines = {
      MONGODB_URL: "mongodb://db1,db2/parley",
      KAFKA_BROKERS: "k1:9092,k2:9092",
    }
    const own = { HOST: "127.0.0.1", PORT: "4", NODE_URL: "http://127.0.0.1:4" }
    expect(told("chat-2")).toMatchObject({ ...own, AUTH_URL, ...engines })
    expect(told("auth-2")).toMatchObject({ PORT: "2", ...engines })
    expect(told("gateway-2")).toMatchObject({
      HOST: "0.0.0.0",
      PORT: "7",
      PUBLIC_URL: "http://localhost:4000",
      AUTH_URL,
      CHAT_URL: "http://127.0.0.1:3,http://127.0.0.1:4,http://127.0.0.1:5",
      WEB_URL: "http://127.0.0.1:6",
    })
    expect(told("web")).toMatchObject({ GATEWAY_URL: "http://127.0.0.1:4000" })
  })

  test("all of them run on what the launcher has, wherever it got it from", () => {
    const named = { MONGODB_URL_FILE: "/nowhere", LINK_SECRET_FILE: "/nowhere", LINK_SECRET: "no" }
    expect(told("chat-1", named)).toMatchObject({
      MONGODB_URL: "mongodb://db1,db2/parley",
      LINK_SECRET: installation.linkSecret,
      LINK_SECRET_FILE: undefined,
    })
  })

  test("no service is started where one could not use its settings", () => {
    expect(() => servicesOf(installation, { KAFKA_PARTITIONS: "none" })).toThrow(
      "KAFKA_PARTITIONS cannot be used",
    )
  })
})

test("where there is one of each, it has the service's name, and no engine but its own", () => {
  const ports = { auth: [1], chat: [2], web: [3], gateway: [4000] }
  const services = servicesOf({ ...installation, engines: undefined, ports }, {})
  expect(services.map(({ name }) => name)).toEqual(["auth", "chat", "gateway", "web"])
  const chat = services.find(({ name }) => name === "chat")?.environment
  expect(chat).toMatchObject({ MONGODB_URL: undefined, KAFKA_BROKERS: undefined })
})

describe("figures", () => {
  const portsOf = (environment: Record<string, string>) =>
    Object.fromEntries(
      servicesOf(installation, environment).map(({ name, environment }) => [
        name,
        environment.METRICS_PORT,
      ]),
    )

  test("are served by each process on a port of its own, beginning with METRICS_PORT", () => {
    const all = servicesOf(installation, { METRICS_PORT: "9100", METRICS_HOST: "10.0.0.5" })
    const serving = all.filter(({ name }) => name !== "web")
    expect(serving.length).toBeGreaterThan(2)
    expect(serving.map(({ environment }) => environment.METRICS_PORT)).toEqual(
      serving.map((_, index) => String(9100 + index)),
    )
    expect(portsOf({ METRICS_PORT: "9100" }).web).toBeUndefined()
    const said = metricsWhereabouts(all)
    for (const { name, environment } of serving) {
      expect(said).toContain(`${name} at http://10.0.0.5:${environment.METRICS_PORT}/metrics`)
    }
  })

  test("are served nowhere where it is not set, and anywhere where it is 0", () => {
    expect(new Set(Object.values(portsOf({})))).toEqual(new Set([undefined]))
    expect(new Set(Object.values(portsOf({ METRICS_PORT: "0" })))).toEqual(
      new Set(["0", undefined]),
    )
    expect(metricsWhereabouts(servicesOf(installation, {}))).toBeUndefined()
    expect(metricsWhereabouts(servicesOf(installation, { METRICS_PORT: "0" }))).toBeUndefined()
  })

  test("have ports that there are", () => {
    for (const METRICS_PORT of ["metrics", "65535"]) {
      expect(() => servicesOf(installation, { METRICS_PORT })).toThrow(
        "METRICS_PORT cannot be used",
      )
    }
  })
})
