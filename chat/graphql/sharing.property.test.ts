import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { unavailable } from "@parley/platform/errors.ts"
import { silentLogger } from "@parley/platform/log.ts"
import fc from "fast-check"
import {
  type GraphQLField,
  type GraphQLObjectType,
  type GraphQLSchema,
  getNamedType,
  isAbstractType,
  isCompositeType,
  isInterfaceType,
  isObjectType,
  parse,
  validate,
} from "graphql"
import type { ChatContainer } from "../context.ts"
import type { DeliveryEvent } from "../delivery/subscription.ts"
import { createWorld, logOf, refusal, send, type World } from "../test/world.ts"
import { createSubscriptionCompiler } from "./subscription-compiler.ts"

let world: World
let node: ChatContainer
let schema: GraphQLSchema
/** One event of every kind, as those who may see them are told of it. */
let events: DeliveryEvent[]
const viewers = ["alice", "bob", "carol"]

beforeAll(async () => {
  world = await createWorld()
  node = world.nodes[0]!
  schema = node.schema
  const { groups, receipts } = node.services
  const group = await groups.create("alice", "Friends", ["bob", "carol"])
  for (const sender of ["alice", "bob", "alice", "carol"]) await send(node, sender, group)
  await groups.leave("carol", group)
  await receipts.mark("bob", group, "read", 4)
  const other = await groups.startDirect("alice", "bob")
  events = [
    ...(await logOf(world.store, group)).map((entry) => ({ kind: "entry", entry }) as const),
    { kind: "receipt", conversation: group, user: "bob", delivered: 5, read: 4 },
    { kind: "ready", recovered: false, reload: [group, other] },
    { kind: "ready", recovered: true, reload: [] },
  ]
})
afterAll(() => world[Symbol.asyncDispose]())

const isMarked = (field: GraphQLField<unknown, unknown>) =>
  field.astNode?.directives?.some(({ name }) => name.value === "viewer") ?? false

/** Arguments with which a field of the schema can be asked. */
const ARGUMENTS: Record<string, string> = {
  "Conversation.log": "(after: 0, first: 3)",
  "Conversation.messages": "(last: 2)",
  "Conversation.members": "(first: 2)",
}

const INCLUSIONS = ["", "", "", " @include(if: $yes)", " @skip(if: $no)", " @include(if: $no)"]

/**
 * A random document: fields of any depth, each with an alias of its own so that nothing collides, inline and named
 * fragments on unions, interfaces and objects, conditions by variables. With or without fields that depend on the viewer.
 */
const documents = (marked: boolean): fc.Arbitrary<string> =>
  fc.infiniteStream(fc.nat({ max: 2 ** 30 })).map((numbers) => {
    const next = (below: number) => (numbers.next().value as number) % below
    const fragments: string[] = []
    let aliases = 0

    function selection(type: string, depth: number): string {
      const found = schema.getType(type)!
      const parts = ["__typename"]
      const wanted = 1 + next(4)
      for (let i = 0; i < wanted; i++) {
        if (isAbstractType(found) && next(2) === 0) parts.push(onPossible(type, depth))
        else if (isObjectType(found) || isInterfaceType(found)) parts.push(field(found.name, depth))
        else parts.push(onPossible(type, depth))
      }
      return `{ ${parts.join(" ")} }`
    }

    function onPossible(type: string, depth: number): string {
      const found = schema.getType(type)
      const possible = isAbstractType(found) ? schema.getPossibleTypes(found) : []
      const names = [...possible.map(({ name }) => name), ...(type === "Event" ? ["LogEvent"] : [])]
      const on = names[next(names.length)]!
      const inner = selection(on, depth)
      const condition = INCLUSIONS[next(INCLUSIONS.length)]
      if (next(2) === 0) return `... on ${on}${condition} ${inner}`
      fragments.push(`fragment F${fragments.length} on ${on} ${inner}`)
      return `...F${fragments.length - 1}${condition}`
    }

    function field(type: string, depth: number): string {
      const { getFields } = schema.getType(type) as GraphQLObjectType
      const fields = Object.values(getFields.call(schema.getType(type))).filter(
        (field) =>
          (marked || !isMarked(field)) && (depth > 0 || !isCompositeType(getNamedType(field.type))),
      )
      if (fields.length === 0) return "__typename"
      const chosen = fields[next(fields.length)]!
      const inner = getNamedType(chosen.type)
      const args = ARGUMENTS[`${type}.${chosen.name}`] ?? ""
      const condition = INCLUSIONS[next(INCLUSIONS.length)]
      aliases += 1
      const head = `a${aliases}: ${chosen.name}${args}${condition}`
      return isCompositeType(inner) ? `${head} ${selection(inner.name, depth - 1)}` : head
    }

    const root = selection("Event", 5)
    return `subscription S($yes: Boolean = true, $no: Boolean!, $at: [PositionInput!]) {
      news: events(after: $at) ${root}
    }
    ${fragments.join("\n")}`
  })

const compiledOf = (query: string) => {
  const document = parse(query)
  // The variables of conditions may be left over, and a fragment's of them too: only that is no fault here.
  const faults = validate(schema, document).filter(({ message }) => !/never used/.test(message))
  expect(faults.map(({ message }) => message)).toEqual([])
  const compiler = createSubscriptionCompiler(schema, node.services, node.turns, silentLogger)
  return compiler.of({ schema, document, operationName: "S", variableValues: { no: false } })
}

describe("a document that selects no @viewer field", () => {
  test("is shared, and says the same without a viewer as it does for each of them", async () => {
    await fc.assert(
      fc.asyncProperty(documents(false), async (query) => {
        const compiled = compiledOf(query)
        expect(compiled.shareable).toBe(true)
        for (const event of events) {
          const shared = await compiled.render(event, undefined)
          expect(JSON.parse(shared).errors).toBeUndefined()
          for (const viewer of viewers) expect(await compiled.render(event, viewer)).toBe(shared)
        }
      }),
      { numRuns: 60 },
    )
  }, 60_000)
})

describe("a document that may select @viewer fields", () => {
  test("is shared only where every viewer gets the same, whatever it selects", async () => {
    let sharedOnes = 0
    let ownOnes = 0
    await fc.assert(
      fc.asyncProperty(documents(true), async (query) => {
        const compiled = compiledOf(query)
        if (compiled.shareable) sharedOnes += 1
        else ownOnes += 1
        for (const event of events) {
          const answers = new Set<string>()
          for (const viewer of viewers) answers.add(await compiled.render(event, viewer))
          expect([...answers].join()).not.toContain("INTERNAL")
          if (!compiled.shareable) continue
          expect([...answers]).toEqual([await compiled.render(event, undefined)])
        }
      }),
      { numRuns: 200 },
    )
    // Neither kind is missing from what was tried: about a third are of the rarer one.
    expect(Math.min(sharedOnes, ownOnes)).toBeGreaterThan(10)
  }, 60_000)
})

/** Every field that an event's document can reach through unmarked fields, as the shortest selection that reaches it. */
function reachable(): { name: string; marked: boolean; query: string }[] {
  const found: { name: string; marked: boolean; query: string }[] = []
  const seen = new Set<string>()
  const queue = schema
    .getPossibleTypes(schema.getType("Event") as never)
    .map((type) => ({ type, wrap: (inner: string) => `... on ${type.name} { ${inner} }` }))
  for (let next = queue.shift(); next; next = queue.shift()) {
    const { type, wrap } = next
    if (seen.has(type.name)) continue
    seen.add(type.name)
    for (const field of Object.values(type.getFields())) {
      const inner = getNamedType(field.type)
      const head = `${field.name}${ARGUMENTS[`${type.name}.${field.name}`] ?? ""}`
      const asked = isCompositeType(inner) ? `${head} { __typename }` : head
      const query = `subscription S { events { ${wrap(asked)} } }`
      found.push({ name: `${type.name}.${field.name}`, marked: isMarked(field), query })
      if (isObjectType(inner) && !isMarked(field)) {
        queue.push({ type: inner, wrap: (more) => wrap(`${head} { ${more} }`) })
      }
    }
  }
  return found
}

const answersWithoutViewer = async (query: string) => {
  const compiled = compiledOf(query)
  const answers = await Promise.all(events.map((event) => compiled.render(event, undefined)))
  return answers.flatMap((answer) => JSON.parse(answer).errors ?? [])
}

describe("the marks", () => {
  test("are complete: a field without one does without a viewer", async () => {
    const unmarked = reachable().filter(({ marked }) => !marked)
    expect(unmarked.length).toBeGreaterThan(25)
    for (const { name, query } of unmarked) {
      expect([name, await answersWithoutViewer(query)]).toEqual([name, []])
    }
  })

  test("are earned: a field with one cannot do without a viewer, and makes a document unshared", async () => {
    const marked = reachable().filter(({ marked }) => marked)
    expect(marked.map(({ name }) => name).sort()).toContain("Conversation.unreadCount")
    for (const { name, query } of marked) {
      const codes = (await answersWithoutViewer(query)).map(({ extensions }) => extensions.code)
      expect([name, [...new Set(codes)]]).toEqual([name, ["UNAUTHENTICATED"]])
      expect([name, compiledOf(query).shareable]).toEqual([name, false])
    }
  })
})

test("one compiled serves all subscriptions of one document, whatever their positions", () => {
  const compiler = createSubscriptionCompiler(schema, node.services, node.turns, silentLogger)
  const document = parse(
    `subscription A($after: [PositionInput!], $more: Boolean!) { events(after: $after) { ... on MessageSent { seq at @include(if: $more) } } }
     subscription B($after: [PositionInput!]) { events(after: $after) { __typename } }`,
  )
  const of = (operationName: string, more: boolean, seq: number) => {
    const variableValues = { more, after: [{ conversation: "c", seq }] }
    return compiler.of({ schema, document, operationName, variableValues })
  }
  expect(of("A", true, 1)).toBe(of("A", true, 2))
  expect(of("A", true, 1)).not.toBe(of("A", false, 1))
  expect(of("A", true, 1)).not.toBe(of("B", true, 1))
  expect(of("B", true, 1)).toBe(of("B", false, 7))
})

test("an event that cannot be read just now is not answered with half of it", async () => {
  const status = () => Promise.reject(unavailable("the disk is gone"))
  const services = { ...node.services, reader: { ...node.services.reader, status } }
  const document = parse("subscription { events { ... on MessageSent { message { id status } } } }")
  const compiled = createSubscriptionCompiler(schema, services, node.turns, silentLogger).of({
    schema,
    document,
  })
  const [, message] = events
  expect(await refusal(Promise.resolve(compiled.render(message!, "alice")))).toMatchObject({
    code: "UNAVAILABLE",
  })
})
