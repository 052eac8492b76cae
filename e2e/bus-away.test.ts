import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test"
import { until } from "@parley/testing/until.ts"
import { type Kafka, startKafka } from "../engines/kafka.ts"
import { newDatabase } from "../engines/test/mongo.ts"
import { launch } from "../testing/launch.ts"
import { Person } from "../testing/person.ts"
import type { Reading } from "../testing/reading.ts"
import { sharedEngines } from "../testing/topologies.ts"

setDefaultTimeout(120_000)

/** Within this people hear each other while the bus is away; in ms, on a machine that does much else. */
const WITHIN = 3_000
/** What hashes a password takes its time on a busy machine, with or without a bus; in ms. */
const HASHED_WITHIN = 10_000
const PEOPLE = 8

let kafka: Kafka
let database: ReturnType<typeof newDatabase>
let cluster: ReturnType<typeof launch>
let gateways: string[]

beforeAll(async () => {
  const { mongodbUrl } = await sharedEngines()
  database = newDatabase({ url: mongodbUrl })
  kafka = await startKafka()
  const environment = { MONGODB_URL: database.url, KAFKA_BROKERS: kafka.brokers }
  cluster = launch(environment, ["--cluster", "3"])
  await cluster.ready()
  gateways = cluster.gateways()
})
afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]()
  await kafka?.stop()
  await database?.[Symbol.asyncDispose]()
})

let people = 0
async function person(): Promise<Person> {
  people += 1
  const one = new Person(gateways[people % gateways.length]!, `person${people}`)
  await one.signUp(`Person ${people}`)
  return one
}

const ADD =
  "mutation($c: ID!, $users: [ID!]!) { addMembers(conversation: $c, users: $users) { id } }"

/** A step that must not take long. */
async function timed<T>(what: string, act: () => Promise<T>, within = WITHIN): Promise<T> {
  const begun = performance.now()
  const result = await act()
  expect(performance.now() - begun, what).toBeLessThan(within)
  return result
}

/** A node that has just started takes over the sessions that belong to it: that has nothing to do with the bus. */
const isMove = (error: unknown) => /goes on elsewhere/.test(`${(error as Error).message}`)

test("with the broker killed, people sign in, resume, talk and are added, and no session is refused", async () => {
  const [alice, ...others] = await Promise.all(Array.from({ length: PEOPLE }, person))
  const group = await alice!.chatWith(...others)
  const readings = others.map((one) => one.read())
  await Promise.all(readings.map((reading) => reading.ready()))
  const say = async (text: string, all: readonly Reading[]) => {
    await alice!.deliver(group, text)
    await until(() => all.every((one) => one.messages(group).includes(text)), text, 10_000)
  }
  await say("before", readings)

  await kafka.kill()
  // Those who are there, on whichever node.
  for (const text of ["one", "two", "three"]) await timed(text, () => say(text, readings))

  // A new account, a new device, and devices that come back to where they were: on every node.
  const newcomer = await timed("a sign-up", person, HASHED_WITHIN)
  const device = await timed("a sign-in", () => others[0]!.onAnotherDevice(), HASHED_WITHIN)
  const fresh = device.read(new Map())
  const resumed = readings.map((reading, i) => others[i]!.read(new Map(reading.positions)))
  const hers = newcomer.read()
  const opened = [fresh, hers, ...resumed]
  await timed("sessions", () => Promise.all(opened.map((one) => one.ready())).then(() => {}))
  await timed("four", () => say("four", [...readings, ...resumed, fresh]))

  await timed("an added member", async () => {
    await alice!.get(ADD, { c: group, users: [newcomer.id] })
    const isTold = () =>
      hers.events.some(({ joined }) => joined?.some((one) => one.id === newcomer.id))
    await until(isTold, "the newcomer to be told", 10_000)
  })
  const everyone = [...readings, ...resumed, fresh, hers]
  await timed("five", () => say("five", everyone))
  expect(hers.messages(group)).toEqual(["five"])

  // The nodes stay in service.
  for (const gateway of gateways) expect((await fetch(`${gateway}/readyz`)).status).toBe(200)

  await kafka.restart()
  for (let i = 0; i < 20; i++) await say(`back ${i}`, everyone)
  for (const reading of readings) {
    const seqs = reading.seqs(group)
    expect(seqs).toEqual(Array.from(seqs, (_, i) => seqs[0]! + i))
  }
  for (const { errors, closed } of everyone) {
    const refused = errors.flat().filter((error) => !isMove(error))
    expect(refused).toEqual([])
    // The client closes its socket (1000) where a move has ended the one subscription on it, and opens the next one.
    expect(closed.filter((code) => code !== 1000)).toEqual([])
  }
})
