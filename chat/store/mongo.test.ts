import { setDefaultTimeout } from "bun:test"
import { silentLogger } from "@parley/service/log.ts"
import { newDatabase, useTestMongo } from "../../dev/engines/test/mongo.ts"
import { shareStore } from "../test/shared-store.ts"
import { openMongoStore } from "./mongo.ts"
import { nodesContract, type SharedStore } from "./nodes.contract.ts"
import { peopleContract } from "./people.contract.ts"
import { openSqliteStore } from "./sqlite.ts"
import { type StorePlace, storeContract } from "./store.contract.ts"

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
