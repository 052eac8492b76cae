import { MongoClient } from "mongodb"
import { type Engines, openEngines } from "../dev/engines/engines.ts"

/** What a Parley under test is: the suites of the whole system run on each of them. */
export const TOPOLOGIES = ["one embedded node", "a cluster of three"] as const
export type Topology = (typeof TOPOLOGIES)[number]

/** How to start a Parley as it is to be. */
export interface Setup extends AsyncDisposable {
  args: string[]
  environment: Record<string, string | undefined>
}

export async function setUp(topology: Topology): Promise<Setup> {
  if (topology === "a cluster of three") return setUpCluster()
  return {
    args: [],
    environment: { MONGODB_URL: undefined, KAFKA_BROKERS: undefined },
    async [Symbol.asyncDispose]() {},
  }
}

let engines: Promise<Engines> | undefined

/** The engines of all clusters of this run: started once, and gone with this process. */
const sharedEngines = () => {
  engines ??= openEngines(process.env, (line) => process.stderr.write(`• ${line}\n`))
  return engines
}

/** Three chat nodes, two gateways, two auths, on a database of their own. */
async function setUpCluster(): Promise<Setup> {
  const { mongodbUrl, kafkaBrokers } = await sharedEngines()
  const url = inDatabase(mongodbUrl, `parley-e2e-${Bun.randomUUIDv7()}`)
  return {
    args: ["--cluster", "3"],
    environment: { MONGODB_URL: url, KAFKA_BROKERS: kafkaBrokers },
    async [Symbol.asyncDispose]() {
      await using client = new MongoClient(url)
      await client.db().dropDatabase()
    },
  }
}

/** The same server's database of that name. */
export const inDatabase = (url: string, name: string): string =>
  url.replace(/^(mongodb(?:\+srv)?:\/\/[^/?]+)(?:\/[^?]*)?/, `$1/${name}`)
