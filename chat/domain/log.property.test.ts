import { expect, test } from "bun:test"
import fc from "fast-check"
import { messageId } from "../test/log-builder.ts"
import { createShaker, shakeStore } from "../test/shaker.ts"
import { createWorld, logOf } from "../test/world.ts"
import { emptyState, fold } from "./conversation-state.ts"

const users = ["alice", "bob", "carol", "dave"]
const node = fc.nat({ max: 2 })
const user = fc.constantFrom(...users)

/** What people do, all of it at once, each on some node. */
const action = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant("send" as const), node, user }) },
  // The same message again, on a node that may be another: what a client does that has heard no answer.
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant("retry" as const), node, which: fc.nat() }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("add" as const), node, user }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("remove" as const), node, user }) },
  // Reading catches a node up, in the middle of whatever it is doing.
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant("read" as const), node, user, seq: fc.nat(40) }),
  },
)

test("whatever happens at once on three nodes, a log is 1..n, each acknowledged message once, by its members only", async () => {
  const actions = fc.array(action, { minLength: 1, maxLength: 40 })
  await fc.assert(
    fc.asyncProperty(actions, fc.integer(), async (actions, seed) => {
      const shaker = createShaker(seed)
      await using world = await createWorld(3, (store) => ({ store: shakeStore(store, shaker) }))
      const services = world.nodes.map(({ services }) => services)
      const conversation = await services[0]!.groups.create("alice", "Friends", ["bob", "carol"])

      const sent: { sender: string; id: string; text: string }[] = []
      const acknowledged = new Map<string, number>()
      async function send(node: number, message: (typeof sent)[number]) {
        const { sender, ...input } = message
        await services[node]!.messages.send(sender, { ...input, conversation }).then(
          ({ id, seq }) => {
            // Every answer for one message names the same place.
            expect(acknowledged.get(id) ?? seq).toBe(seq)
            acknowledged.set(id, seq)
          },
          (error) => {
            expect(error).toMatchObject({ code: "NOT_FOUND" })
          },
        )
      }
      /** What may be refused, but only with a reason. */
      const attempt = (promise: Promise<unknown>) =>
        promise.catch((error) =>
          expect(error.code).toBeOneOf(["NOT_FOUND", "FORBIDDEN", "BAD_INPUT"]),
        )

      const underWay: Promise<unknown>[] = []
      for (const action of actions) {
        const { groups, receipts, states } = services[action.node]!
        if (action.kind === "send") {
          const id = messageId(0)
          sent.push({ sender: action.user, id, text: `${sent.length}` })
          underWay.push(send(action.node, sent.at(-1)!))
        } else if (action.kind === "retry") {
          const again = sent[action.which % sent.length]
          if (again) underWay.push(send(action.node, again))
        } else if (action.kind === "add") {
          underWay.push(attempt(groups.add("alice", conversation, [action.user])))
        } else if (action.kind === "remove") {
          underWay.push(attempt(groups.remove("alice", conversation, action.user)))
        } else {
          underWay.push(attempt(receipts.mark(action.user, conversation, "read", action.seq)))
          underWay.push(states.get(conversation).then((state) => states.catchUp(state)))
        }
        await shaker.pause()
      }
      await Promise.all(underWay)

      const log = await logOf(world.store, conversation)
      expect(log.map(({ seq }) => seq)).toEqual(log.map((_, i) => i + 1))
      const messages = log.filter((entry) => entry.kind === "message")
      expect(Object.fromEntries(messages.map(({ id, seq }) => [id, seq]))).toEqual(
        Object.fromEntries(acknowledged),
      )

      const state = emptyState(conversation)
      const authored = new Map<string, number>()
      for (const entry of log) {
        const admitted = state.members.has(entry.by) || entry.seq === 1
        expect([entry.seq, admitted]).toEqual([entry.seq, true])
        if (entry.kind === "message") authored.set(entry.by, (authored.get(entry.by) ?? 0) + 1)
        expect(entry.tally).toEqual({
          messages: state.messages + (entry.kind === "message" ? 1 : 0),
          ofAuthor: authored.get(entry.by) ?? 0,
          members: entry.kind === "members" ? entry.seq : state.membersSeq,
        })
        fold(state, entry)
      }
    }),
    { numRuns: 150, endOnFailure: true },
  )
}, 60_000)
