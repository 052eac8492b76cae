import { existsSync } from "node:fs"
import { join, resolve } from "node:path"
import {
  ConfigError,
  type Environment,
  linkSecret,
  mongodbUrl,
  readConfig,
} from "@parley/platform/config.ts"
import { isUnavailable, ParleyError } from "@parley/platform/errors.ts"
import { silentLogger } from "@parley/platform/log.ts"
import * as v from "valibot"
import { takeLock } from "../../platform/machine/lock.ts"
import { inRoot } from "../../platform/machine/root.ts"
import { linkSecretIn } from "../config.ts"
import { step } from "../step.ts"
import { compareAccounts, copyAccounts, copyKeys } from "./accounts.ts"
import { compareConversations, copyConversations } from "./conversations.ts"
import { digest } from "./digest.ts"
import { comparePeople, copyPeople } from "./people.ts"
import { openSource, type Source } from "./source.ts"
import { openTarget, type Target } from "./target.ts"

const Variables = v.object({
  DATA_DIR: v.optional(v.string()),
  LINK_SECRET: v.optional(linkSecret),
  MONGODB_URL: mongodbUrl,
})

/** How often something is tried where MongoDB does not answer, and how long after; in ms. */
const MAX_TRIES = 10
const AGAIN_AFTER = 2_000

/** What is counted on both sides, by the name that it has on both. */
const KINDS = [
  ...(["users", "sessions", "counters", "conversations", "entries", "members"] as const),
  ...(["settings", "usage"] as const),
]

/**
 * Moves what an embedded installation has kept in its data folder into MongoDB, reads it back, and says on stdout what
 * was moved. The folder stays as it is. No process writes meanwhile: this one holds its lock, and refuses a database on which a
 * cluster has run. After an interruption it goes on where it was; once it is done it does nothing more.
 * @returns 0; 1 where it cannot be done: then one sentence says why.
 */
export async function promote(environment: Environment, args: readonly string[]): Promise<number> {
  try {
    if (args.length > 0) {
      throw new ConfigError(
        "./parley promote takes no arguments: DATA_DIR and MONGODB_URL say what it moves where.",
      )
    }
    const given = readConfig(Variables, environment)
    const dataDir = given.DATA_DIR === undefined ? inRoot("data") : resolve(given.DATA_DIR)
    using _lock = lock(dataDir)
    await using source = await openSource(dataDir, silentLogger)
    await using target = await openTarget({
      mongodbUrl: given.MONGODB_URL,
      linkSecret: given.LINK_SECRET ?? linkSecretIn(dataDir),
      log: silentLogger,
    })
    process.stdout.write(`${await move(source, target)}\n`)
    return 0
  } catch (error) {
    if (!(error instanceof ConfigError) && !(error instanceof ParleyError)) throw error
    process.stderr.write(`${error.message}\n`)
    return 1
  }
}

/** @returns what there is to say of it. */
async function move(source: Source, target: Target): Promise<string> {
  const before = await target.begin(digest(source.keys.refreshSecret))
  if (before) return `This was done on ${before.toISOString()}, and nothing was touched now.`
  const patient = (label: string, work: () => Promise<void>) => step(label, () => retry(work))
  await patient("copying accounts", () => copyAccounts(source, target.auth))
  await patient("copying conversations", () => copyConversations(source, target.chat))
  await patient("copying settings", () => copyPeople(source, target.chat))
  // Last: with them an auth could start, and people could write.
  await patient("copying keys", () => copyKeys(source, target.auth))
  await patient("reading everything back", async () => {
    await compareAccounts(source, target.auth)
    await compareConversations(source, target.chat)
    await comparePeople(source, target.chat)
    await compareCounts(source, target)
  })
  await target.finish()
  const counts = KINDS.map((kind) => `${source.count(kind)} ${kind}`).join(", ")
  return `Moved to MongoDB, read back and found the same: ${counts}.`
}

/** What can be done again is, where MongoDB was away for a moment. */
async function retry(work: () => Promise<void>): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await work()
    } catch (error) {
      if (!isUnavailable(error) || tries === MAX_TRIES) throw error
      await Bun.sleep(AGAIN_AFTER)
    }
  }
}

async function compareCounts(source: Source, target: Target): Promise<void> {
  for (const kind of KINDS) {
    const [before, after] = [source.count(kind), await target.count(kind)]
    if (before === after) continue
    throw new ConfigError(`There are ${after} ${kind} in MongoDB instead of ${before}.`)
  }
}

/** @throws ConfigError where a Parley runs on the folder, or it is none. */
function lock(dataDir: string): Disposable {
  if (!existsSync(dataDir)) throw new ConfigError(`There is no folder ${dataDir}: set DATA_DIR.`)
  const lock = takeLock(join(dataDir, "lock"))
  if (lock) return lock
  throw new ConfigError(`A Parley is running on the data folder ${dataDir}: stop it first.`)
}
