/** What the set-up of a scenario asks of the gateway, as any client would. */
export interface Person {
  id: string
  username: string
}

const SIGN_UP = "mutation($input: SignUpInput!) { signUp(input: $input) { id username } }"
const START_DIRECT = "mutation($user: ID!) { startDirect(user: $user) { id } }"
const CREATE_GROUP =
  "mutation($title: String!, $members: [ID!]!) { createGroup(title: $title, members: $members) { id } }"

/** @throws Error where the answer has errors. */
async function ask<Data>(
  url: string,
  token: string | undefined,
  query: string,
  variables: object,
): Promise<Data> {
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
  return data
}

/** Creates accounts, a few at a time: each takes a password hash. */
export async function signUp(url: string, count: number): Promise<Person[]> {
  const people: Person[] = []
  let next = 0
  const worker = async () => {
    while (next < count) {
      const index = next++
      const input = { username: `person.${index}`, password: `${crypto.randomUUID()}` }
      const data = await ask<{ signUp: Person }>(url, undefined, SIGN_UP, { input })
      people[index] = data.signUp
    }
  }
  await Promise.all(Array.from({ length: 4 }, worker))
  return people
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
