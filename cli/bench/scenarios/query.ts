import { inRoot } from "@parley/platform/machine/root.ts"
import { startChild } from "@parley/testing/child.ts"
import { startLoad } from "../load/load.ts"
import { createSigner } from "../load/tokens.ts"
import { cpuPerOperation, inTurn, measure, rate, ratios } from "../measure.ts"
import { signUp, startDirect } from "../people.ts"
import { type Figure, figure } from "../report.ts"
import type { Scenario } from "../scenario.ts"
import { summary } from "../stats.ts"
import { startInstallation } from "../system/installation.ts"

const PEOPLE = 11
const CONCURRENCY = 16
const query = (user: string) =>
  `{ conversations { edges { node { id members { edges { node { user { ${user} } } } } } } } }`

/** A query whose answer takes two subgraphs, asked of the gateway, of a stock gateway, and of chat as far as it goes. */
export const twoSubgraphs: Scenario = async ({ quick, say }) => {
  const rounds = quick ? 1 : 6
  const count = quick ? 200 : 4_000
  await using parley = await startInstallation()
  const { auth, chat, gateway } = parley
  const secret = { "x-parley-secret": parley.linkSecret }
  await using stock = await startChild(
    "stock gateway",
    [process.execPath, "--no-env-file", inRoot("cli/bench/peers/stock-gateway.ts")],
    {
      NODE_ENV: "production",
      APOLLO_TELEMETRY_DISABLED: "true",
      LINK_SECRET: parley.linkSecret,
      AUTH_URL: `http://127.0.0.1:${auth.port}`,
      CHAT_URL: `http://127.0.0.1:${chat.port}`,
      SUPERGRAPH: inRoot("gateway/supergraph.graphql"),
    },
  )
  await using load = await startLoad()

  say(`signing up ${PEOPLE} people who all know each other`)
  const sign = createSigner(parley)
  const people = (await signUp(parley.url, PEOPLE)).map(({ id }) => id)
  for (const [index, one] of people.entries()) {
    for (const other of people.slice(index + 1)) await startDirect(parley.url, sign(one), other)
  }

  const issuer = { dataDir: parley.dataDir, publicUrl: parley.publicUrl }
  const at = (port: number) => `http://127.0.0.1:${port}/graphql`
  const full = query("id username name")
  const contenders = {
    gateway: { url: at(gateway.port), headers: {}, query: full, services: [gateway, chat, auth] },
    "chat directly": { url: at(chat.port), headers: secret, query: query("id"), services: [chat] },
    "stock gateway": {
      url: at(stock.port),
      headers: {},
      query: full,
      services: [stock, chat, auth],
    },
  }
  const ask = (name: keyof typeof contenders, count: number) => async () => {
    const { services, ...request } = contenders[name]
    await load.run("signTokens", { issuer, users: people, count })
    return measure([...services, load], () =>
      load.run("sendRequests", { ...request, concurrency: CONCURRENCY }),
    )
  }
  const names = Object.keys(contenders) as (keyof typeof contenders)[]
  say("warming up")
  for (const name of [...names, ...names]) await ask(name, count)()
  say(`${rounds} rounds of ${count} requests each`)
  const samples = await inTurn(rounds, {
    gateway: ask("gateway", count),
    "chat directly": ask("chat directly", count),
    "stock gateway": ask("stock gateway", count),
  })

  const figures: Figure[] = []
  const total = {} as Record<keyof typeof contenders, number[]>
  for (const name of names) {
    const processes = contenders[name].services.map((service) => service.name)
    total[name] = cpuPerOperation(samples[name], processes)
    figures.push(
      figure({ name: `${name}: requests`, unit: "/s", value: summary(rate(samples[name])) }),
      figure({ name: `${name}: CPU, all`, unit: "µs/request", value: summary(total[name]) }),
    )
    if (processes.length === 1) continue
    for (const process of processes) {
      const value = summary(cpuPerOperation(samples[name], [process]))
      figures.push(figure({ name: `${name}: CPU, ${process}`, unit: "µs/request", value }))
    }
  }
  const against = (name: keyof typeof contenders, atLeast: number) => {
    const byCpu = ratios(total[name], total.gateway)
    const byRate = ratios(rate(samples.gateway), rate(samples[name]))
    figures.push(
      figure({
        name: `gateway against ${name}, requests per CPU`,
        unit: "×",
        value: byCpu,
        atLeast,
      }),
      figure({ name: `gateway against ${name}, requests/s`, unit: "×", value: byRate }),
    )
  }
  against("chat directly", 0.4)
  against("stock gateway", 3)
  return {
    scenario: "query",
    about:
      `${PEOPLE - 1} conversations with their members' names (two subgraphs), ${CONCURRENCY} requests at a time, ` +
      "no two with the same token; chat is asked for the same without the names",
    figures,
  }
}
