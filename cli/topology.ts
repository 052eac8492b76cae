import { ConfigError } from "@parley/platform/config.ts"

/** How many processes of each service an installation has; of the web app there is always one. */
export interface Topology {
  chat: number
  gateway: number
  auth: number
}

/** One of each: the embedded default, and the share of one machine in a cluster with engines of its operator. */
export const SINGLE: Topology = { chat: 1, gateway: 1, auth: 1 }

/** What follows `./parley start`, which is nothing or `--cluster` and the number of chat nodes. */
export interface StartArguments {
  topology: Topology
  /** Whether the engines are part of it, and are started where the environment does not name them. */
  withEngines: boolean
}

/** @throws ConfigError that says what to write instead. */
export function readArguments(args: readonly string[]): StartArguments {
  const [option, number, ...rest] = args.flatMap((arg) => arg.split(/=(.*)/, 2))
  if (option === undefined) return { topology: SINGLE, withEngines: false }
  if (option !== "--cluster") {
    throw new ConfigError(
      `./parley start knows no "${args[0]}": ./parley help lists what it knows.`,
    )
  }
  if (number === undefined || !/^[1-9]$/.test(number)) {
    throw new ConfigError(
      "--cluster needs the number of chat nodes, from 1 to 9, as in ./parley start --cluster 3",
    )
  }
  if (rest.length > 0) {
    throw new ConfigError(
      `./parley start --cluster ${number} takes nothing more, so not "${rest[0]}".`,
    )
  }
  return { topology: { chat: Number(number), gateway: 2, auth: 2 }, withEngines: true }
}
