import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { silentLogger } from "@parley/service/log.ts"
import { newDatabase, openTestMongo } from "../../auth/test/mongo.ts"
import { openMongoStore } from "./mongo.ts"
import { storeContract } from "./store.contract.ts"

setDefaultTimeout(60_000)
let server: Awaited<ReturnType<typeof openTestMongo>>
beforeAll(async () => {
  server = await openTestMongo()
})
afterAll(() => server[Symbol.asyncDispose]())

storeContract("MongoDB", async () => {
  const database = newDatabase(server)
  return {
    open: () => openMongoStore(database.url, silentLogger),
    [Symbol.asyncDispose]: database[Symbol.asyncDispose],
  }
})
