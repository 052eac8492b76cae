import { afterAll, beforeAll } from "bun:test"
import { MongoClient } from "mongodb"
import { type Mongo, startMongo } from "../mongo.ts"

/** A server for one test file, of the project's own: tests may kill it and freeze it. */
export const startTestMongo = (port?: number): Promise<Mongo> =>
  startMongo({ port, report: (line) => process.stderr.write(`• ${line}\n`) })

/** The same where no test does that: the server that MONGODB_URL names, or else one of the project's own. */
export async function openTestMongo(): Promise<{ url: string } & AsyncDisposable> {
  const url = process.env.MONGODB_URL
  return url ? { url, async [Symbol.asyncDispose]() {} } : startTestMongo()
}

/** The first start ever fetches; in ms. */
export const FETCHED_WITHIN = 25 * 60_000

/** That server for the tests of the file, or of the `describe`, that calls this: there before them, and gone after them. */
export function useTestMongo(): { readonly url: string } {
  let server: Awaited<ReturnType<typeof openTestMongo>>
  beforeAll(async () => {
    server = await openTestMongo()
  }, FETCHED_WITHIN)
  afterAll(() => server[Symbol.asyncDispose]())
  return {
    get url() {
      return server.url
    },
  }
}

let made = 0

/** A database of its own on that server, which goes with its test. */
export function newDatabase(server: { url: string }) {
  const name = `parley-test-${process.pid}-${++made}`
  const [, hosts, query = ""] = /^(mongodb(?:\+srv)?:\/\/[^/?]+)\/?[^?]*(\?.*)?$/.exec(server.url)!
  return {
    url: `${hosts}/${name}${query}`,
    async [Symbol.asyncDispose]() {
      await using client = new MongoClient(server.url, { serverSelectionTimeoutMS: 5_000 })
      await client.db(name).dropDatabase()
    },
  }
}
