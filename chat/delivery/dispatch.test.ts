import { describe, expect, test } from "bun:test"
import type { Link } from "@parley/link/subgraph.ts"
import type { ParleyError } from "@parley/platform/errors.ts"
import { silentLogger } from "@parley/platform/log.ts"
import type { BusEvent } from "../bus/bus.ts"
import { BUFFER_BYTES } from "../limits.ts"
import { createLog } from "../test/log-builder.ts"
import { dispatch } from "./dispatch.ts"
import type { CompiledSubscription, Subscription } from "./subscription.ts"

const event: BusEvent = { kind: "entry", entry: createLog("group").founded("alice") }

function createLink() {
  const frames: { ids: string[]; payload: string }[] = []
  const link: Link = {
    deliver(ids, payload) {
      frames.push({ ids: [...ids], payload })
      return true
    },
    waitingBytes: () => 0,
  }
  return { link, frames }
}

function createCompiled(
  shareable: boolean,
  render: CompiledSubscription["render"] = (_event, viewer) => `for ${viewer}`,
) {
  const viewers: (string | undefined)[] = []
  const compiled: CompiledSubscription = {
    shareable,
    render(event, viewer) {
      viewers.push(viewer)
      return render(event, viewer)
    },
  }
  return { compiled, viewers }
}

let ids = 0
function createSubscription(user: string, compiled: CompiledSubscription, link: Link) {
  ids += 1
  const errors: (ParleyError | undefined)[] = []
  const subscription: Subscription = {
    ...{ user, compiled, link, id: `${ids}`, phase: "live", buffer: [], bufferedBytes: 0 },
    ...{ covered: new Map(), departed: new Map() },
    end(error) {
      errors.push(error)
      subscription.phase = "ended"
    },
  }
  return Object.assign(subscription, { errors })
}
const idsOf = (subscriptions: Subscription[]) => subscriptions.map(({ id }) => id)

describe("an event for many subscriptions", () => {
  test("with one document is rendered once and is one frame per connection", () => {
    const { compiled, viewers } = createCompiled(true)
    const [one, two] = [createLink(), createLink()]
    const onOne = Array.from({ length: 500 }, (_, i) =>
      createSubscription(`user${i}`, compiled, one.link),
    )
    const onTwo = Array.from({ length: 3 }, () => createSubscription("alice", compiled, two.link))
    expect(dispatch(event, [...onOne, ...onTwo], { log: silentLogger })).toBeUndefined()
    expect(viewers).toEqual([undefined])
    expect(one.frames).toEqual([{ ids: idsOf(onOne), payload: "for undefined" }])
    expect(two.frames).toEqual([{ ids: idsOf(onTwo), payload: "for undefined" }])
  })

  test("with a document that depends on the viewer is rendered for each of them", async () => {
    const { compiled, viewers } = createCompiled(false, async (_event, viewer) => `for ${viewer}`)
    const { link, frames } = createLink()
    const subscriptions = ["alice", "bob"].map((user) => createSubscription(user, compiled, link))
    await dispatch(event, subscriptions, { log: silentLogger })
    expect(viewers).toEqual(["alice", "bob"])
    expect(frames).toEqual(
      subscriptions.map(({ id, user }) => ({ ids: [id], payload: `for ${user}` })),
    )
  })

  test("goes to those only who are live, and waits in the buffer of those who replay", () => {
    const { compiled } = createCompiled(true)
    const { link, frames } = createLink()
    const live = createSubscription("alice", compiled, link)
    const replaying = Object.assign(createSubscription("bob", compiled, link), {
      phase: "replaying" as const,
    })
    const ended = Object.assign(createSubscription("carol", compiled, link), {
      phase: "ended" as const,
    })
    dispatch(event, [live, replaying, ended], { log: silentLogger })
    expect(frames.map(({ ids }) => ids)).toEqual([[live.id]])
    expect([replaying.buffer, ended.buffer]).toEqual([[event], []])
  })

  test("that waits in a buffer of too many bytes ends that subscription, which resumes", () => {
    const { compiled } = createCompiled(true)
    const log = createLog("group")
    log.founded("alice")
    const subscription = Object.assign(createSubscription("bob", compiled, createLink().link), {
      phase: "replaying" as const,
    })
    const text = "x".repeat(8_000)
    for (let sent = 0; subscription.errors.length === 0 && sent < 2 * BUFFER_BYTES; sent += 8_000) {
      const entry = log.message("alice", text)
      dispatch({ kind: "entry", entry }, [subscription], { log: silentLogger })
    }
    expect(subscription.errors).toEqual([expect.objectContaining({ code: "UNAVAILABLE" })])
    expect(subscription.buffer.length).toBeLessThanOrEqual(BUFFER_BYTES / 8_000 + 1)
  })

  test("does not go to those whose replay has told them", () => {
    const { compiled, viewers } = createCompiled(true)
    const { link, frames } = createLink()
    const told = createSubscription("alice", compiled, link)
    told.covered.set("group", 1)
    dispatch(event, [told], { log: silentLogger })
    expect(frames).toEqual([])
    expect(viewers).toEqual([])
    dispatch({ kind: "entry", entry: { ...event.entry, seq: 2 } } as BusEvent, [told], {
      log: silentLogger,
    })
    expect(frames).toHaveLength(1)
    expect(told.covered.size).toBe(0)
  })

  test("does not go to those who end while it is being rendered", async () => {
    const { compiled } = createCompiled(true, async () => "late")
    const { link, frames } = createLink()
    const [stays, goes] = [
      createSubscription("alice", compiled, link),
      createSubscription("bob", compiled, link),
    ]
    const sent = dispatch(event, [stays, goes], { log: silentLogger })
    goes.phase = "ended"
    await sent
    expect(frames).toEqual([{ ids: [stays.id], payload: "late" }])
  })
})

describe("an event that cannot be rendered", () => {
  test.each([
    [
      "at once",
      () => {
        throw new Error("broken")
      },
    ],
    ["later", () => Promise.reject(new Error("broken"))],
  ] as [string, CompiledSubscription["render"]][])(
    "ends the subscriptions of that document, and no others: %s",
    async (_when, render) => {
      const [bad, good] = [createCompiled(true, render), createCompiled(true)]
      const { link, frames } = createLink()
      const losers = ["alice", "bob"].map((user) => createSubscription(user, bad.compiled, link))
      const winner = createSubscription("carol", good.compiled, link)
      await dispatch(event, [...losers, winner], { log: silentLogger })
      for (const { errors } of losers) {
        expect(errors).toEqual([expect.objectContaining({ code: "UNAVAILABLE" })])
      }
      expect(frames.map(({ ids }) => ids)).toEqual([[winner.id]])
      expect(winner.errors).toEqual([])
    },
  )
})
