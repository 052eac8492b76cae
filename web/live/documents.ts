import { gql, type TypedDocumentNode } from "@urql/core"
import type { Role, User } from "./model.ts"

/** Every GraphQL document of the app. documents.test.ts checks each against the supergraph. */

interface Ref {
  id: string
}
export interface WireMessage {
  id: string
  seq: number
  text: string | null
  sentAt: string
  sender: Ref
}
export interface WireMember {
  user: User
  role: Role
  delivered: number
  read: number
}
export type WireStatus = "SENT" | "DELIVERED" | "READ"

export interface WireConversation {
  id: string
  kind: "DIRECT" | "GROUP"
  title: string | null
  createdAt: string
  head: number
  unreadCount: number
  me: Omit<WireMember, "user">
  lastMessage: (WireMessage & { status: WireStatus }) | null
  members: WireMembers
}
export interface WireMembers {
  totalCount: number
  pageInfo: { hasNextPage: boolean; endCursor: string | null }
  edges: { node: WireMember }[]
}
export interface WireConversationPage {
  pageInfo: { hasNextPage: boolean; endCursor: string | null }
  edges: { node: WireConversation }[]
}

interface WireLogBase {
  conversation: Ref
  seq: number
  at: string
  by: Ref
}
export type WireLogEvent =
  | (WireLogBase & { __typename: "MessageSent"; message: WireMessage })
  | (WireLogBase & {
      __typename: "MembersChanged"
      joined: User[]
      left: Ref[]
      promoted: Ref[]
      demoted: Ref[]
    })
export interface WireReceipt {
  __typename: "ReceiptMoved"
  conversation: Ref
  user: Ref
  delivered: number
  read: number
}
export interface WireReady {
  __typename: "Ready"
  recovered: boolean
  reload: Ref[]
}
export type WireEvent = WireLogEvent | WireReceipt | WireReady

const MESSAGE = "id seq text sentAt sender { id }"
const USER = "id username name"
const MEMBERS = `totalCount pageInfo { hasNextPage endCursor } edges { node { user { ${USER} } role delivered read } }`
const CONVERSATION = `id kind title createdAt head unreadCount me { role delivered read } lastMessage { ${MESSAGE} status }`
/** `... on LogEvent` gives a kind of entry that this version does not know its seq all the same. */
const LOG_EVENT = `
  __typename
  ... on LogEvent { conversation { id } seq at by { id } }
  ... on MessageSent { message { ${MESSAGE} } }
  ... on MembersChanged { joined { ${USER} } left { id } promoted { id } demoted { id } }`

type Doc<
  Data,
  Variables extends Record<string, unknown> = Record<string, never>,
> = TypedDocumentNode<Data, Variables>

export const Home: Doc<
  { me: User | null; conversations: WireConversationPage },
  { first: number; members: number }
> = gql`query Home($first: Int!, $members: Int!) {
  me { ${USER} }
  conversations(first: $first) {
    pageInfo { hasNextPage endCursor }
    edges { node { ${CONVERSATION} members(first: $members) { ${MEMBERS} } } }
  }
}`

export const MoreConversations: Doc<
  { conversations: WireConversationPage },
  { first: number; after: string | null; members: number }
> = gql`query MoreConversations($first: Int!, $after: String, $members: Int!) {
  conversations(first: $first, after: $after) {
    pageInfo { hasNextPage endCursor }
    edges { node { ${CONVERSATION} members(first: $members) { ${MEMBERS} } } }
  }
}`

export const OneConversation: Doc<
  { conversation: WireConversation | null },
  { id: string; members: number }
> = gql`query OneConversation($id: ID!, $members: Int!) {
  conversation(id: $id) { ${CONVERSATION} members(first: $members) { ${MEMBERS} } }
}`

export const Members: Doc<
  { conversation: { members: WireMembers } | null },
  { id: string; first: number; after: string | null }
> = gql`query Members($id: ID!, $first: Int!, $after: String) {
  conversation(id: $id) { members(first: $first, after: $after) { ${MEMBERS} } }
}`

export const Log: Doc<
  { conversation: { log: WireLogEvent[] } | null },
  { id: string; after: number; first: number }
> = gql`query Log($id: ID!, $after: Int!, $first: Int!) {
  conversation(id: $id) { log(after: $after, first: $first) { ${LOG_EVENT} } }
}`

/** Selects no @viewer field, so that the server executes it once for all who receive an event. */
export const Events: Doc<{ events: WireEvent }> =
  gql`subscription Events($after: [PositionInput!], $since: DateTime) {
  events(after: $after, since: $since) {
    ${LOG_EVENT}
    ... on ReceiptMoved { conversation { id } user { id } delivered read }
    ... on Ready { recovered reload { id } }
  }
}`

export const SendMessage: Doc<
  { sendMessage: WireMessage },
  { input: { id: string; conversation: string; text: string } }
> =
  gql`mutation SendMessage($input: SendMessageInput!) { sendMessage(input: $input) { ${MESSAGE} } }`

interface Watermarks {
  delivered: number
  read: number
}
export const MarkDelivered: Doc<
  { markDelivered: Watermarks },
  { conversation: string; seq: number }
> = gql`mutation MarkDelivered($conversation: ID!, $seq: Int!) {
  markDelivered(conversation: $conversation, seq: $seq) { delivered read }
}`
export const MarkRead: Doc<{ markRead: Watermarks }, { conversation: string; seq: number }> =
  gql`mutation MarkRead($conversation: ID!, $seq: Int!) {
  markRead(conversation: $conversation, seq: $seq) { delivered read }
}`

export const Users: Doc<{ users: User[] }, { search: string }> =
  gql`query Users($search: String!) { users(search: $search, first: 20) { ${USER} } }`

export const StartDirect: Doc<{ startDirect: Ref }, { user: string }> =
  gql`mutation StartDirect($user: ID!) { startDirect(user: $user) { id } }`
export const CreateGroup: Doc<
  { createGroup: Ref },
  { id: string; title: string; members: string[] }
> = gql`mutation CreateGroup($id: ID!, $title: String!, $members: [ID!]!) {
  createGroup(id: $id, title: $title, members: $members) { id }
}`
export const AddMembers: Doc<{ addMembers: Ref }, { conversation: string; users: string[] }> =
  gql`mutation AddMembers($conversation: ID!, $users: [ID!]!) {
  addMembers(conversation: $conversation, users: $users) { id }
}`
export const RemoveMember: Doc<{ removeMember: Ref }, { conversation: string; user: string }> =
  gql`mutation RemoveMember($conversation: ID!, $user: ID!) {
  removeMember(conversation: $conversation, user: $user) { id }
}`
export const LeaveConversation: Doc<{ leaveConversation: boolean }, { conversation: string }> =
  gql`mutation LeaveConversation($conversation: ID!) {
  leaveConversation(conversation: $conversation)
}`

export type Adders = "EVERYONE" | "CONTACTS" | "NOBODY"
interface WireSettings {
  mayAdd: Adders
}
export const Settings: Doc<{ settings: WireSettings }> = gql`query Settings { settings { mayAdd } }`
export const UpdateSettings: Doc<{ updateSettings: WireSettings }, { input: { mayAdd: Adders } }> =
  gql`mutation UpdateSettings($input: UpdateSettingsInput!) {
  updateSettings(input: $input) { mayAdd }
}`

export const Me: Doc<{ me: User | null }> = gql`query Me { me { ${USER} } }`
export const SignOut: Doc<{ signOut: boolean }> = gql`mutation SignOut { signOut }`
