import { ConfigError } from "@parley/platform/config.ts"
import type { Entry } from "../../chat/domain/entry.ts"
import type { Store } from "../../chat/store/store.ts"
import { createDigest, digest } from "./digest.ts"
import { forEach } from "./each.ts"
import type { Source } from "./source.ts"

const PAGE = 500

/**
 * Copies the logs, each from where the target's own ends, with whatever follows from them, and then how far everyone
 * has got. What is there already stays, so it can be done again.
 */
export async function copyConversations(source: Source, target: Store): Promise<void> {
  await forEach(source.conversations, async (conversation) => {
    const { head } = await target.state(conversation)
    for await (const entries of pagesOf(source.chat, conversation, head)) {
      if ((await target.append(entries)) === entries.length) continue
      throw new ConfigError(
        `The conversation ${conversation} cannot be stored: another process writes to it there.`,
      )
    }
  })
  await forEach(source.members, async (user) => {
    for (const { conversation, delivered, read } of await source.chat.memberships(user)) {
      await target.moveMarks(conversation, user, { delivered, read })
    }
  })
}

/** Reads everything back. @throws ConfigError that names the first thing that is not as it was. */
export async function compareConversations(source: Source, target: Store): Promise<void> {
  const same = async (what: string, read: (store: Store) => Promise<string>) => {
    if ((await read(source.chat)) === (await read(target))) return
    throw new ConfigError(`${what} was not stored as it was.`)
  }
  await forEach(source.conversations, (id) =>
    same(`The conversation ${id}`, (store) => digestOf(store, id)),
  )
  await forEach(source.members, (user) =>
    same(`What the user ${user} is a member of`, async (store) =>
      digest((await store.memberships(user)).toSorted(byConversation)),
    ),
  )
}

async function digestOf(store: Store, conversation: string): Promise<string> {
  const all = createDigest()
  // `authored` is what a store happens to cache, and no part of the conversation.
  const { authored: _, ...state } = await store.state(conversation)
  all.add(state)
  for await (const entries of pagesOf(store, conversation, 0)) entries.forEach(all.add)
  return all.text()
}

async function* pagesOf(store: Store, conversation: string, from: number): AsyncGenerator<Entry[]> {
  for (let after = from; ; ) {
    const entries = await store.entries(conversation, after, PAGE)
    const last = entries.at(-1)
    if (!last) return
    yield entries
    after = last.seq
  }
}

const byConversation = (a: { conversation: string }, b: { conversation: string }) =>
  a.conversation < b.conversation ? -1 : 1
