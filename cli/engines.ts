import { join } from "node:path"
import { ConfigError, type Environment } from "@parley/platform/config.ts"
import { type Engines, openEngines } from "../engines/engines.ts"
import { TIMING } from "./supervise.ts"

/**
 * Opens the engines of a cluster on one machine; those that are started here keep what they store in the data folder,
 * and are started again on it, at the same port, whenever they end by themselves.
 * @throws ConfigError where there are none to be had, or they do not start.
 */
export async function openClusterEngines(
  environment: Environment,
  dataDir: string,
  say: (line: string) => void,
): Promise<Engines> {
  try {
    return await openEngines(environment, say, {
      dataDir: join(dataDir, "engines"),
      keep: { say, timing: TIMING },
    })
  } catch (error) {
    if (!(error instanceof Error)) throw error
    throw new ConfigError(error.message, { cause: error })
  }
}

/**
 * Ends engines that were started here. What is left of them after `within` ms ends with this process, and has lost
 * nothing: both store before they answer.
 */
export async function closeEngines(engines: Engines, within: number): Promise<void> {
  await Promise.race([engines.stop(), Bun.sleep(within)])
}
