import { join } from "node:path"
import { startHelper } from "../../testing/helper.ts"
import type { Outcome, Target } from "./attack.ts"
import type { Suffered } from "./pair.ts"

const start = (file: string) => startHelper(join(import.meta.dir, file))

/** The pair of innocent people, in a process of its own. */
export async function startBystanders(urls: readonly string[]) {
  const helper = await start("bystanders.ts")
  await helper.call("open", urls)
  return {
    begin: () => helper.call("begin"),
    end: () => helper.call("end") as Promise<Suffered>,
    close: () => helper[Symbol.asyncDispose](),
  }
}

const SETS_UP_WITHIN = 60_000

/** Carries out one variant in a process of its own, which yields the processor to all others. */
export async function carryOut(attack: string, variant: string, target: Target): Promise<Outcome> {
  const { promise, reject } = Promise.withResolvers<never>()
  const late = target.lasts + SETS_UP_WITHIN
  const timer = setTimeout(() => reject(new Error("the attackers hang")), late)
  try {
    await using helper = await start("attackers.ts")
    const done = helper.call("run", { attack, variant, target }) as Promise<Outcome>
    return await Promise.race([done, promise])
  } catch (error) {
    return {
      counts: {},
      broken: [`the attack could not be carried out: ${(error as Error).message}`],
    }
  } finally {
    clearTimeout(timer)
  }
}
