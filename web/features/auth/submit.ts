import { inWords } from "../../live/errors.ts"
import { rememberAccount } from "../../live/session.ts"

/** Why it did not work, in a sentence for the form. */
export interface Refusal {
  message: string
  field?: string
}

interface Credentials {
  username: string
  password: string
}

const SIGN_UP = "mutation SignUp($input: SignUpInput!) { signUp(input: $input) { id } }"
const SIGN_IN = "mutation SignIn($input: SignInInput!) { signIn(input: $input) { id } }"

/** Both resolve to nothing once the browser has its cookies. */
export const signUp = (input: Credentials & { name?: string }) => submit(SIGN_UP, input)
export const signIn = (input: Credentials) => submit(SIGN_IN, input)

interface Answer {
  data?: Record<string, { id: string } | null> | null
  errors?: { message: string; extensions?: { field?: string; retryAfterMs?: number } }[]
}

/** A plain request: these pages need no client, and a wrong password must not make one renew a session. */
async function submit(query: string, input: Credentials): Promise<Refusal | undefined> {
  try {
    const response = await fetch("/graphql", {
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/graphql-response+json" },
      body: JSON.stringify({ query, variables: { input } }),
      signal: AbortSignal.timeout(15_000),
    })
    const { data, errors } = (await response.json()) as Answer
    const error = errors?.[0]
    if (!error) {
      const user = Object.values(data ?? {})[0]
      // Before the next page says it: another person's page may be open beside this one, and sends with the same cookies.
      if (user) await rememberAccount(user.id)
      return undefined
    }
    const { field, retryAfterMs } = error.extensions ?? {}
    return retryAfterMs === undefined
      ? { message: error.message, field }
      : { message: `${error.message} Try again in ${inWords(retryAfterMs)}.` }
  } catch {
    return { message: "Parley cannot be reached just now. Try again in a moment." }
  }
}
