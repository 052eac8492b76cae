import { setDefaultTimeout } from "bun:test"
import { newDatabase, useTestMongo } from "@parley/engines/test/mongo.ts"
import { silentLogger } from "@parley/platform/log.ts"
import { shareStore } from "../../test/shared-store.ts"
import { nodesContract, type SharedStore } from "../nodes.contract.ts"
import { peopleContract } from "../people.contract.ts"
import { openSqliteStore } from "../sqlite/sqlite.ts"
import { type StorePlace, storeContract } from "../store.contract.ts"
import { openMongoStore } from "./mongo.ts"

setDefaultTimeout(60_000)
const server = useTestMongo()

async function preparePlace(): Promise<StorePlace> {
  const database = newDatabase(server)
  return {
    open: () => openMongoStore(database.url, silentLogger),
    [Symbol.asyncDispose]: database[Symbol.asyncDispose],
  }
}

storeContract("MongoDB", preparePlace)
peopleContract("MongoDB", preparePlace)

nodesContract("MongoDB", async () => {
  const database = newDatabase(server)
  const store = await openMongoStore(database.url, silentLogger)
  return {
    ...store,
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]()
      await database[Symbol.asyncDispose]()
    },
  } as SharedStore
})

// What stands in for it in the tests of the outbox keeps the same promises.
nodesContract("the store of tests", async () => shareStore(openSqliteStore(":memory:")))
