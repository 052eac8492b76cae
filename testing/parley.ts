import { launch } from "./launch.ts"
import { Person } from "./person.ts"
import { setUp, type Topology } from "./topologies.ts"

type ServiceName = "auth" | "chat" | "gateway" | "web"

/** What is as the test wants it. */
export interface Given {
  /** Stays, where a test names it. */
  dataDir?: string
  environment?: Record<string, string>
}

/** A whole Parley, as `./parley start` starts it: every service a process, on a free port, with data of its own. */
export async function startParley(topology: Topology = "one embedded node", given: Given = {}) {
  const setup = await setUp(topology)
  const { dataDir, environment } = given
  const place = dataDir === undefined ? {} : { DATA_DIR: dataDir }
  const launched = launch({ ...place, ...setup.environment, ...environment }, setup.args)
  const end = async () => {
    await launched[Symbol.asyncDispose]()
    await setup[Symbol.asyncDispose]()
  }
  const url = await launched.ready().catch(async (error) => {
    await end()
    throw error
  })
  const named = launched.gateways()
  const gateways = named.length > 0 ? named : [url]
  let people = 0

  return {
    url,
    /** Of each gateway. */
    gateways,
    stderr: launched.err,

    /** The processes of a service, oldest first. */
    pidsOf: (service: ServiceName): number[] =>
      launched
        .services()
        .flatMap(({ pid, command }) => (command.includes(`${service}/main.ts`) ? [pid] : [])),

    /** Someone with a new account, signed in, by the next gateway in turn. Names that were used before get a number. */
    async person(name: string): Promise<Person> {
      const gateway = gateways[people % gateways.length]!
      people += 1
      const person = new Person(gateway, `${name.toLowerCase().replaceAll(" ", ".")}${people}`)
      await person.signUp(name)
      return person
    },

    [Symbol.asyncDispose]: end,
  }
}
export type Parley = Awaited<ReturnType<typeof startParley>>
