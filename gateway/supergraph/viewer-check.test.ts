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
