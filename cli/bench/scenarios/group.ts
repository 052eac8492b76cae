import { startLoad } from "../load/load.ts"
import { eventsDocument } from "../load/socket.ts"
import { createSigner } from "../load/tokens.ts"
import { cpuPerOperation, inTurn, measure, rate, type Sample } from "../measure.ts"
import { createGroup, signUp } from "../people.ts"
import { type Figure, figure } from "../report.ts"
import { type Scenario, SERVICES } from "../scenario.ts"
import { summary } from "../stats.ts"
import { startInstallation } from "../system/installation.ts"

/** One who writes to groups of different sizes, all of whose members are connected: what each further one costs. */
export const group: Scenario = async ({ quick, say }) => {
  const sizes = quick ? [5, 10, 40] : [10, 100, 1_000]
  const rounds = quick ? 1 : 5
  /** Deliveries in a round; enough for the kernel's clock ticks to be fine enough. */
  const deliveries = quick ? 400 : 60_000
  const mostMessages = quick ? 40 : 2_000
  await using parley = await startInstallation()
  await using load = await startLoad()

  const most = Math.max(...sizes)
  say(`signing up ${most + 1} people`)
  const sign = createSigner(parley)
  const [sender, ...readers] = (await signUp(parley.url, most + 1)).map(({ id }) => id)
  const token = sign(sender!)
  const conversations = new Map<number, string>()
  for (const size of sizes) {
    conversations.set(size, await createGroup(parley.url, token, readers.slice(0, size)))
  }
  say(`connecting ${most} readers`)
  const conversation = conversations.get(most)!
  const document = eventsDocument()
  await load.run("openGroup", {
    name: "group",
    sender: { kind: "parley", url: parley.url, token, conversation, document, over: "socket" },
    readers: readers.map(sign),
  })

  const send = (readers: number) => () => {
    const messages = Math.min(mostMessages, Math.ceil(deliveries / readers))
    const conversation = conversations.get(readers)!
    return measure([...parley.services, load], () =>
      load.run("sendToGroup", { name: "group", conversation, readers, messages }),
    )
  }
  say("warming up")
  for (const size of sizes) await send(size)()
  say(`${rounds} rounds`)
  const samples = await inTurn(
    rounds,
    Object.fromEntries(sizes.map((size) => [String(size), send(size)])),
  )

  const figures: Figure[] = []
  for (const size of sizes) {
    const taken = samples[String(size)]!
    const add = (what: string, unit: string, values: number[]) =>
      figures.push(figure({ name: `${size} members: ${what}`, unit, value: summary(values) }))
    add("messages", "/s", rate(taken))
    add("CPU, all services", "µs/message", cpuPerOperation(taken, SERVICES))
  }
  for (const [index, size] of sizes.entries()) {
    if (index === 0) continue
    const smaller = sizes[index - 1]!
    const marginal = (services: readonly string[]) =>
      perMember(samples[String(smaller)]!, smaller, samples[String(size)]!, size, services)
    const name = `further member, from ${smaller} to ${size}`
    figures.push(
      figure({ name: `${name}: CPU`, unit: "µs/message", value: marginal(SERVICES), atMost: 20 }),
      ...SERVICES.map((service) =>
        figure({
          name: `${name}: CPU, ${service}`,
          unit: "µs/message",
          value: marginal([service]),
        }),
      ),
    )
  }
  return {
    scenario: "group",
    about: `one sends, one message at a time, to ${sizes.join(", ")} connected members, who all get it before the next`,
    figures,
  }
}

/** What one more member adds to the cost of a message, round by round. */
const perMember = (
  few: Sample[],
  fewer: number,
  many: Sample[],
  more: number,
  services: readonly string[],
) => {
  const base = cpuPerOperation(few, services)
  const cost = cpuPerOperation(many, services)
  return summary(cost.map((cost, round) => (cost - base[round]!) / (more - fewer)))
}
