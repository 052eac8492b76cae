import { expect, test } from "bun:test"
import sdl from "../supergraph.graphql" with { type: "text" }
import { loadGraph } from "./supergraph.ts"
import { createViewerCheck } from "./viewer-check.ts"

const isForAnyone = createViewerCheck(loadGraph(sdl).marked)
const lookup = (selection: string) =>
  `query ($representations: [_Any!]!) { _entities(representations: $representations) { ${selection} } }`

test("a look-up is for anyone only where no field of it depends on who asks", () => {
  expect(isForAnyone(lookup("... on User { username name }"))).toBeTrue()
  expect(isForAnyone(lookup("... on Conversation { title }"))).toBeTrue()
  expect(isForAnyone(lookup("... on Conversation { unreadCount }"))).toBeFalse()
  expect(isForAnyone(lookup("... on Message { conversation { me { role } } }"))).toBeFalse()
  // What was looked at once is remembered as it was.
  expect(isForAnyone(lookup("... on Conversation { unreadCount }"))).toBeFalse()
})

test("some 2,000 look-ups of 1 KB are remembered", () => {
  let looks = 0
  const { marked } = loadGraph(sdl)
  const watched = new Proxy(marked, {
    get(target, name) {
      looks += 1
      const value = Reflect.get(target, name)
      return typeof value === "function" ? value.bind(target) : value
    },
  })
  const check = createViewerCheck(watched)
  const isRemembered = (i: number) => {
    const before = looks
    check(lookup(`... on User { a${i}: name }`).padEnd(1_000))
    return looks === before
  }
  for (let i = 0; i < 1_900; i++) isRemembered(i)
  expect([isRemembered(0), isRemembered(1_899)]).toEqual([true, true])
  for (let i = 1_900; i < 4_100; i++) isRemembered(i)
  expect([isRemembered(1), isRemembered(4_099)]).toEqual([false, true])
})
