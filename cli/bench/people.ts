import { SEND } from "@parley/testing/operations.ts"
import { Person } from "@parley/testing/person.ts"
import { openMany } from "./load/socket.ts"

export type { Person }

/** Creates accounts, a few at a time: each takes a password hash. */
export const signUp = (url: string, count: number): Promise<Person[]> =>
  openMany(
    count,
    async (index) => {
      const person = new Person(url, `person.${index}`)
      await person.signUp()
      return person
    },
    4,
  )

/** Starts a direct conversation and answers with its id. */
export const startDirect = (url: string, token: string, user: string): Promise<string> =>
  Person.by(url, token).startDirect(user)

/** Creates a group and answers with its id. */
export const createGroup = (url: string, token: string, members: string[]): Promise<string> =>
  Person.by(url, token).createGroup(members)

/** Sends a message, and resolves once it is acknowledged. */
export async function sendMessage(
  url: string,
  token: string,
  conversation: string,
  text: string,
): Promise<void> {
  const input = { id: Bun.randomUUIDv7(), conversation, text }
  await Person.by(url, token).get(SEND, { input })
}

/** Two people with a direct conversation. */
export interface PairOfPeople {
  conversation: string
  people: readonly [Person, Person]
  tokens: readonly [string, string]
}

export async function makePairs(url: string, count: number): Promise<PairOfPeople[]> {
  const people = await signUp(url, count * 2)
  return Promise.all(
    Array.from({ length: count }, (_, index) =>
      pairOf(url, people[index * 2]!, people[index * 2 + 1]!),
    ),
  )
}

export async function pairOf(url: string, a: Person, b: Person): Promise<PairOfPeople> {
  const conversation = await startDirect(url, a.token, b.id)
  return { conversation, people: [a, b], tokens: [a.token, b.token] }
}
