import { readFileSync } from "node:fs"

/**
 * A stand-in for libfaketime, loaded before a service: its `Date` is ahead of the true one by the seconds that a file
 * says, read twice a second.
 */
const file = process.env.TORTURE_CLOCK ?? ""
let ahead = 0

function read(): void {
  try {
    ahead = Number(readFileSync(file, "utf8")) * 1000 || 0
  } catch {
    // It is being written this very moment.
  }
}
read()
setInterval(read, 500).unref()

const TrueDate = Date
globalThis.Date = new Proxy(TrueDate, {
  construct: (target, args, newTarget) =>
    Reflect.construct(target, args.length === 0 ? [TrueDate.now() + ahead] : args, newTarget),
  apply: (target) => new target(TrueDate.now() + ahead).toString(),
  get: (target, name, receiver) =>
    name === "now" ? () => TrueDate.now() + ahead : Reflect.get(target, name, receiver),
})
