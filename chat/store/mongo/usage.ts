import { isDuplicate, type Mongo } from "@parley/platform/mongo.ts"
import { type Day, EVER, NO_USAGE, passing, type Usage } from "../../domain/usage.ts"
import type { UsageStore } from "../usage.ts"
import type { UsageDocument } from "./shapes.ts"

const KINDS = Object.keys(NO_USAGE) as (keyof Usage)[]

/** Ids of one day follow each other, so that old days are one range. */
const DIGITS = 7
const beginOf = (day: Day) => `${String(day).padStart(DIGITS, "0")}/`
const idOf = (user: string, day: Day) => beginOf(day) + user

/** One document for each user and day; every change is one update of it. */
export function mongoUsage(mongo: Mongo): UsageStore {
  const usage = mongo.collection<UsageDocument>("usage")

  async function of(user: string, day: Day): Promise<Usage> {
    const found = await usage.findOne({ _id: idOf(user, day) }, { projection: { _id: 0 } })
    return { ...NO_USAGE, ...found }
  }

  /** Every sum is there from the first write on: a bound compares with nothing that is missing. */
  const increase = (amounts: Partial<Usage>) => ({ $inc: { ...NO_USAGE, ...amounts } })

  async function add(user: string, day: Day, amounts: Partial<Usage>): Promise<Usage> {
    const update = () =>
      usage.findOneAndUpdate({ _id: idOf(user, day) }, increase(amounts), {
        upsert: true,
        returnDocument: "after",
        projection: { _id: 0 },
      })
    // Two that would both insert it: the second one finds it there.
    const after = await update().catch((error) => {
      if (isDuplicate(error)) return update()
      throw error
    })
    return { ...NO_USAGE, ...after }
  }

  async function reserve(
    user: string,
    day: Day,
    amounts: Partial<Usage>,
    bounds: Partial<Usage>,
  ): Promise<keyof Usage | undefined> {
    const never = passing(NO_USAGE, amounts, bounds)
    if (never) return never
    const room = KINDS.filter((kind) => amounts[kind] !== undefined && bounds[kind] !== undefined)
    const within = Object.fromEntries(
      room.map((kind) => [kind, { $lte: bounds[kind]! - amounts[kind]! }]),
    )
    const filter = { _id: idOf(user, day), ...within }
    try {
      await usage.updateOne(filter, increase(amounts), { upsert: true })
      return undefined
    } catch (error) {
      // The document is there: with a sum for which there is no room, or inserted by another at this moment.
      if (!isDuplicate(error)) throw error
    }
    const { matchedCount } = await usage.updateOne(filter, increase(amounts))
    if (matchedCount > 0) return undefined
    return passing(await of(user, day), amounts, bounds) ?? room[0]
  }

  return {
    of: (user, day) => mongo.run(() => of(user, day)),
    add: (user, day, amounts) => mongo.run(() => add(user, day, amounts)),
    reserve: (user, day, amounts, bounds) => mongo.run(() => reserve(user, day, amounts, bounds)),
    forget: (before) =>
      mongo.run(async () => {
        await usage.deleteMany({ _id: { $gte: beginOf(EVER + 1), $lt: beginOf(before) } })
      }),
  }
}
