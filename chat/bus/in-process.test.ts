import { expect, test } from "bun:test"
import { partitionOf } from "@parley/platform/partition.ts"
import { createLog } from "../test/log-builder.ts"
import { busContract } from "./bus.contract.ts"
import { createInProcessExchange } from "./in-process.ts"

busContract("in process", async () => {
  const exchange = createInProcessExchange()
  return { join: async () => exchange.join(), [Symbol.asyncDispose]: async () => {} }
})

test("a node that is alone does not even ask whom an event concerns", () => {
  const bus = createInProcessExchange().join()
  const entry = createLog("c").founded("alice")
  bus.publish({ kind: "entry", entry }, () => {
    throw new Error("asked")
  })
})

test("a node that has left receives nothing that was still under way", async () => {
  const exchange = createInProcessExchange()
  const [from, to] = [exchange.join(), exchange.join()]
  let received = 0
  to.onRecord(() => {
    received += 1
  })
  await to.hold(partitionOf("bob", to.partitions))
  from.publish({ kind: "entry", entry: createLog("c").founded("alice") }, () => ["bob"])
  void to[Symbol.asyncDispose]()
  await Bun.sleep(0)
  expect(received).toBe(0)
})
