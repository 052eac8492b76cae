/** What the set-up of a scenario asks of the gateway, as any client would. */
export interface Person {
  id: string
  username: string
  /** Their access token. */
  token: string
}

const SIGN_UP = "mutation($input: SignUpInput!) { signUp(input: $input) { id username } }"
const START_DIRECT = "mutation($user: ID!) { startDirect(user: $user) { id } }"
const SEND = "mutation($input: SendMessageInput!) { sendMessage(input: $input) { id } }"
const CREATE_GROUP =
  "mutation($title: String!, $members: [ID!]!) { createGroup(title: $title, members: $members) { id } }"

const ask = async <Data>(url: string, token: string, query: string, variables: object) =>
  (await answer<Data>(url, token, query, variables)).data

/** @throws Error where the answer has errors. */
async function answer<Data>(
  url: string,
  token: string | undefined,
  query: string,
  variables: object,
) {
  const response = await fetch(`${url}/graphql`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      ...(token && { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify({ query, variables }),
  })
  const { data, errors } = (await response.json()) as { data?: Data; errors?: unknown[] }
  if (!data || errors) throw new Error(`The set-up was refused: ${JSON.stringify(errors)}`)
  return { data, cookies: response.headers.getSetCookie() }
}

/** Creates accounts, a few at a time: each takes a password hash. */
export async function signUp(url: string, count: number): Promise<Person[]> {
  const people: Person[] = []
  let next = 0
  const worker = async () => {
    while (next < count) {
      const index = next++
      const input = { username: `person.${index}`, password: `${crypto.randomUUID()}` }
      people[index] = await newcomer(url, input)
    }
  }
  await Promise.all(Array.from({ length: 4 }, worker))
  return people
}

async function newcomer(url: string, input: object): Promise<Person> {
  type Data = { signUp: { id: string; username: string } }
  const { data, cookies } = await answer<Data>(url, undefined, SIGN_UP, { input })
  return { ...data.signUp, token: accessToken(cookies) }
}

/** Starts a direct conversation and answers with its id. */
export async function startDirect(url: string, token: string, user: string): Promise<string> {
  const data = await ask<{ startDirect: { id: string } }>(url, token, START_DIRECT, { user })
  return data.startDirect.id
}

/** Creates a group and answers with its id. */
export async function createGroup(url: string, token: string, members: string[]): Promise<string> {
  const variables = { title: "Everyone who measures", members }
  const data = await ask<{ createGroup: { id: string } }>(url, token, CREATE_GROUP, variables)
  return data.createGroup.id
}

/** Sends a message, and resolves once it is acknowledged. */
export async function sendMessage(
  url: string,
  token: string,
  conversation: string,
  text: string,
): Promise<void> {
  await ask(url, token, SEND, { input: { id: Bun.randomUUIDv7(), conversation, text } })
}

function accessToken(cookies: string[]): string {
  const token = cookies.map((cookie) => /^(?:__Host-)?parley_access=([^;]+)/.exec(cookie)?.[1])
  const found = token.find((one) => one !== undefined)
  if (!found) throw new Error("Signing up set no cookie.")
  return found
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
