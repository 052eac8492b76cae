import { BOMBS } from "../../attack/attacks/fragments.ts"
import { DOCUMENTS } from "../../attack/attacks/validation.ts"
import type { Random } from "../random.ts"
import type { Outcome } from "./outcome.ts"
import type { Person } from "./person.ts"
import { pause } from "./world.ts"

/** How long an attacker rests between two attacks, in ms: from, to. */
const REST: [number, number] = [200, 800]
/** Messages of one flood, and how many are under way at a time: far more than any person sends. */
const FLOOD = 400
const AT_ONCE = 15
/** Victims of an unwanted group. */
const VICTIMS = 4
const GUESSES = 12

/**
 * An attacker has an account and harms the others, in turn in every way that cli/attack/ has found: floods, query
 * bombs, unwanted groups, guesses at passwords, subscriptions that are not read. The history records their messages as
 * all others; the checker does not care whether they are refused.
 */
export async function attackAll(
  attacker: Person,
  victims: readonly Person[],
  random: Random,
): Promise<void> {
  const { world } = attacker
  const ways = [spam, flood, bomb, ask, guess, hoard]
  while (!world.stopping) {
    for (const way of random.shuffled(ways)) {
      await pause(world, random.between(...REST))
      if (world.stopping) return
      await way(attacker, random.shuffled(victims), random)
    }
  }
}

type Way = (attacker: Person, victims: readonly Person[], random: Random) => Promise<void>

/** A group with strangers in it, and something for them to read. */
const spam: Way = async (attacker, victims, random) => {
  const members = victims.slice(0, 1 + random.below(VICTIMS))
  const id = await openGroup(attacker, members)
  if (!id) return
  for (let i = 0; i < 5 && !attacker.world.stopping; i++) await say(attacker, id, `buy ${i}`)
}

/** As many messages as can be sent, to a group that a victim is in. */
const flood: Way = async (attacker, victims, random) => {
  const id = await openGroup(attacker, victims.slice(0, 1))
  if (!id) return
  let left = FLOOD
  const sender = async () => {
    while (left-- > 0 && !attacker.world.stopping) {
      await say(attacker, id, random.chance(0.1) ? "x".repeat(8_000) : "x")
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, sender))
}

const bomb: Way = async (attacker) => {
  await Promise.all(Object.values(BOMBS).map((query) => attacker.account.ask(query)))
}

/** Documents that are dear to validate, and lists within lists. */
const ask: Way = async (attacker, _victims, random) => {
  const nested = `{ conversations { edges { node { ${"messages { edges { node { conversation { ".repeat(3)}id${" } } } }".repeat(3)} } } } }`
  const documents = [nested, ...Object.values(DOCUMENTS).map((make) => make(0))]
  await Promise.all(random.shuffled(documents).map((query) => attacker.account.ask(query)))
}

/** Wrong passwords, so that a victim is locked out. */
const guess: Way = async (attacker, [victim]) => {
  if (!victim) return
  const query = "mutation($input: SignInInput!) { signIn(input: $input) { id } }"
  const input = { username: victim.account.username, password: "certainly not the password" }
  for (let i = 0; i < GUESSES && !attacker.world.stopping; i++) {
    await attacker.account.askAsStranger(query, { input })
  }
}

/** Many subscriptions on one socket, and then it vanishes. */
const hoard: Way = async (attacker, _victims, random) => {
  const { account, world } = attacker
  const socket = account.connect(account.gateway())
  try {
    await socket.ready
  } catch {
    return
  }
  for (let i = 0; i < 120; i++) {
    const query = "subscription { events(after: []) { __typename } }"
    socket.subscribe(query, {}, { next() {}, over() {} }, account.extensions)
  }
  await pause(world, random.between(500, 1_500))
  socket.hangUp()
}

async function openGroup(
  attacker: Person,
  members: readonly Person[],
): Promise<string | undefined> {
  const { world, account } = attacker
  const t = world.recorder.now()
  const outcome: Outcome<{ made: { id: string } }> = await account.ask(
    'mutation($ids: [ID!]!) { made: createGroup(title: "For you", members: $ids) { id } }',
    { ids: members.map(({ account }) => account.id) },
  )
  if (!("data" in outcome)) return undefined
  const conversation = outcome.data.made.id
  const names = [attacker.name, ...members.map(({ name }) => name)]
  world.recorder.write({
    ...{ k: "group", t, done: world.recorder.now(), who: attacker.name },
    ...{ conversation, members: names },
  })
  world.unasked.set(conversation, {
    ...{ id: conversation, admin: undefined, members: new Set(names), movers: [], busy: false },
    acknowledged: 1,
  })
  return conversation
}

async function say(attacker: Person, conversation: string, text: string): Promise<void> {
  const outcome = await attacker.send({ conversation, id: Bun.randomUUIDv7(), text })
  const room = attacker.world.unasked.get(conversation)!
  if ("data" in outcome) room.acknowledged = Math.max(room.acknowledged, outcome.data.seq)
}
