import type { AnyVariables, Client, CombinedError, TypedDocumentNode } from "@urql/core"
import { OPEN_MEMBERS } from "../limits.ts"
import { Log, Members, OneConversation, type WireMembers } from "./documents.ts"
import { failureOf, isAbsent } from "./errors.ts"
import type { Range } from "./log.ts"
import type { Conversation, Entry } from "./model.ts"
import type { LiveStore } from "./store.ts"
import { conversationOf, entryOf, usersIn, usersOf } from "./wire.ts"

export type Asking = ReturnType<typeof createAsking>

/**
 * What is asked of the server. An answer with an error is none: each of these throws it, but for NOT_FOUND, and only
 * that says that there is nothing for the viewer.
 */
export function createAsking(client: Client, store: LiveStore) {
  async function ask<D extends object, V extends AnyVariables>(
    document: TypedDocumentNode<D, V>,
    variables: V,
  ): Promise<D> {
    const { data, error } = await client.query(document, variables).toPromise()
    if (error && !isAbsent(error)) throw error
    const answered = data && (error || !Object.values(data).includes(null))
    if (!answered) throw error ?? new Error("No answer.")
    return data
  }

  /** Undefined where the conversation does not exist for the viewer; so with all of these. */
  async function picture(id: string): Promise<Conversation | undefined> {
    const { conversation } = await ask(OneConversation, { id, members: OPEN_MEMBERS })
    if (!conversation) return undefined
    store.addUsers(usersOf(conversation.members))
    return conversationOf(conversation, store.get().viewer.id)
  }

  /** May end early, for its size. */
  async function log(id: string, range: Range): Promise<Entry[] | undefined> {
    const { conversation } = await ask(Log, { id, ...range })
    if (!conversation) return undefined
    store.addUsers(conversation.log.flatMap(usersIn))
    return conversation.log.map(entryOf)
  }

  /** The whole range, in as many answers as it takes. */
  async function range(id: string, { after, first }: Range): Promise<Entry[] | undefined> {
    const entries: Entry[] = []
    const end = after + first
    for (let from = after; from < end; ) {
      const page = await log(id, { after: from, first: end - from })
      if (page === undefined) return undefined
      entries.push(...page)
      const last = page.at(-1)
      if (!last || last.seq <= from) break
      from = last.seq
    }
    // There is an entry at the end of each range that is asked for: an answer without it is a stale one.
    if ((entries.at(-1)?.seq ?? 0) < end) throw new Error("Not yet.")
    return entries
  }

  /** All members, page by page. */
  async function members(id: string, each: (page: WireMembers) => void): Promise<void> {
    let after: string | null = null
    for (;;) {
      const page: WireMembers | undefined = (await ask(Members, { id, first: OPEN_MEMBERS, after }))
        .conversation?.members
      if (!page) return
      each(page)
      const { hasNextPage, endCursor }: WireMembers["pageInfo"] = page.pageInfo
      if (!hasNextPage || endCursor === null || endCursor === after) return
      after = endCursor
    }
  }

  return { ask, picture, log, range, members }
}

/** What stands in the address may be no id at all: then there is no such conversation, and asking again does not help. */
export function absentWhereNoId(error: CombinedError): undefined {
  const failure = error.graphQLErrors?.length ? failureOf(error) : undefined
  if (failure?.is === "refused" && failure.code === "BAD_INPUT") return undefined
  throw error
}
