import { afterAll, beforeAll, setDefaultTimeout } from "bun:test"
import { silentLogger as log } from "@parley/service/log.ts"
import { newDatabase, openTestMongo } from "../test/mongo.ts"
import { SECRET } from "../test/world.ts"
import { openMongoStore } from "./mongo.ts"
import { storeContract } from "./store.contract.ts"

/** On a busy machine; in ms. */
setDefaultTimeout(60_000)

let mongo: Awaited<ReturnType<typeof openTestMongo>>
beforeAll(async () => {
  mongo = await openTestMongo()
}, 25 * 60_000)
afterAll(() => mongo[Symbol.asyncDispose]())

storeContract("MongoDB", async () => {
  const database = newDatabase(mongo)
  return {
    open: () => openMongoStore({ url: database.url, linkSecret: SECRET, log }),
    [Symbol.asyncDispose]: database[Symbol.asyncDispose],
  }
})
