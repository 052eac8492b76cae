import { expect, test } from "bun:test"
import { createRequire } from "node:module"
import { Duplex } from "node:stream"
import {
  type BulkWriteResult,
  MongoBulkWriteError,
  MongoNetworkError,
  MongoNetworkTimeoutError,
} from "mongodb"
import { isBrokenConnection } from "./mongo.ts"

interface Connection {
  command(namespace: object, command: object, options: object): Promise<unknown>
}

/** The driver's own, which it does not hand out: patches/ mends a wait in it that would never end. */
const { Connection } = createRequire(import.meta.url)("mongodb/lib/cmap/connection.js") as {
  Connection: new (stream: Duplex, options: object) => Connection
}

/** A socket that takes no more bytes, as Bun's is between the moment the server is gone and the event that says so. */
class Clogged extends Duplex {
  constructor() {
    super({ writableHighWaterMark: 1 })
  }
  setTimeout() {}
  override _read() {}
  override _write() {
    this.emit("clogged")
  }
}

const hello = (stream: Duplex) =>
  new Connection(stream, {
    id: 1,
    generation: 0,
    hostAddress: "127.0.0.1:27017",
  }).command({ db: "admin", collection: "$cmd" }, { hello: 1 }, {})

test("a command whose socket closes before it was written out is answered", async () => {
  const stream = new Clogged()
  stream.once("clogged", () => setImmediate(() => stream.destroy()))
  expect(await hello(stream).catch((error) => error)).toBeInstanceOf(MongoNetworkError)
})

test("a command whose socket has closed just before it is answered", async () => {
  const stream = new Clogged()
  stream.once("clogged", () => stream.destroy())
  expect(await hello(stream).catch((error) => error)).toBeInstanceOf(MongoNetworkError)
})

test("a connection that breaks under a bulk of writes is told as one", () => {
  const broken = new MongoNetworkError("connection 1 closed")
  expect(isBrokenConnection(broken)).toBe(true)
  // As the driver wraps it.
  const wrapped = new MongoBulkWriteError(broken, {} as BulkWriteResult)
  expect(isBrokenConnection(wrapped)).toBe(true)
  const late = new MongoNetworkTimeoutError("connection 1 timed out")
  expect(isBrokenConnection(new MongoBulkWriteError(late, {} as BulkWriteResult))).toBe(false)
})
