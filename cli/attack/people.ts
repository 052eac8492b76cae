import { CREATE_GROUP, SEND, SIGN_IN, SIGN_UP, START_DIRECT } from "../../testing/operations.ts"
import { Client } from "./client.ts"

export const PASSWORD = "a password that serves every attacker"

/** Someone with an account, signed in on one device. */
export interface Account {
  client: Client
  id: string
  username: string
}

const WITHIN = 20_000

/** Asks again while the answer is one that passes. @throws Error where it does not within 20 s */
async function insist<Data>(what: string, ask: () => ReturnType<Client["ask"]>): Promise<Data> {
  const deadline = performance.now() + WITHIN
  for (;;) {
    const reply = await ask()
    if (!reply.code) return reply.data as Data
    const passes = /^(RATE_LIMITED|UNAVAILABLE|LOST|HTTP)$/.test(reply.code)
    if (!passes || performance.now() > deadline) {
      throw new Error(`${what}: ${reply.code} ${reply.message}`)
    }
    await Bun.sleep(Math.min(reply.retryAfterMs ?? 200, 2_000))
  }
}

/** Makes an account at an address of its own. */
export async function signUp(url: string, name = "attacker"): Promise<Account> {
  const client = new Client(url)
  const username = `${name.slice(0, 12)}.${crypto.randomUUID().replaceAll("-", "").slice(0, 12)}`
  const input = { username, password: PASSWORD, name }
  const { signUp } = await insist<{ signUp: { id: string } }>("sign-up", () =>
    client.ask(SIGN_UP, { input }),
  )
  return { client, id: signUp.id, username }
}

/** Signs in as an existing account, on the device and from the address of that client. */
export const signIn = (client: Client, username: string, password = PASSWORD) =>
  client.ask(SIGN_IN, { input: { username, password } })

export async function createGroup(of: Account, members: readonly string[]): Promise<string> {
  const variables = { title: "A group", members }
  const { createGroup } = await insist<{ createGroup: { id: string } }>("group", () =>
    of.client.ask(CREATE_GROUP, variables),
  )
  return createGroup.id
}

export async function startDirect(of: Account, user: string): Promise<string> {
  const { startDirect } = await insist<{ startDirect: { id: string } }>("direct", () =>
    of.client.ask(START_DIRECT, { user }),
  )
  return startDirect.id
}

export const sendText = (
  of: Account,
  conversation: string,
  text: string,
  id = Bun.randomUUIDv7(),
) => of.client.ask<{ sendMessage: { seq: number } }>(SEND, { input: { id, conversation, text } })

/** Accounts that fill a conversation: each may write only so much. */
const HELPERS = 6

/**
 * Fills conversations with messages of 32 KB, by as many accounts as it takes, until there are `count`, the time is up or
 * no helper may write any more. @returns the owner, the conversations, and how many messages are in them
 */
export async function hoard(url: string, conversations: number, count: number, lasts: number) {
  const owner = await signUp(url)
  const helpers = await Promise.all(Array.from({ length: HELPERS }, () => signUp(url)))
  const members = helpers.map(({ id }) => id)
  const ids: string[] = []
  for (let i = 0; i < conversations; i++) ids.push(await createGroup(owner, members))
  const until = performance.now() + lasts
  let stored = 0
  const fill = async (of: Account) => {
    while (stored < count && performance.now() < until) {
      const reply = await sendText(of, ids[stored % ids.length]!, LARGE)
      if (reply.code === "RATE_LIMITED") return
      if (reply.code) await Bun.sleep(100)
      else stored += 1
    }
  }
  await Promise.all([owner, ...helpers].map(fill))
  return { owner, ids, stored }
}

/** The largest text that a message may have: 8,000 characters of four bytes. */
export const LARGE = "😀".repeat(8_000)
