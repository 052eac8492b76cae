import { type Engines, openEngines } from "@parley/engines/engines.ts"
import { newDatabase } from "@parley/engines/test/mongo.ts"

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
export const sharedEngines = (): Promise<Engines> => {
  engines ??= openEngines(process.env, (line) => process.stderr.write(`• ${line}\n`))
  return engines
}

/** Three chat nodes, two gateways, two auths, on a database of their own. */
async function setUpCluster(): Promise<Setup> {
  const { mongodbUrl, kafkaBrokers } = await sharedEngines()
  const database = newDatabase({ url: mongodbUrl })
  return {
    args: ["--cluster", "3"],
    environment: { MONGODB_URL: database.url, KAFKA_BROKERS: kafkaBrokers },
    [Symbol.asyncDispose]: database[Symbol.asyncDispose],
  }
}
