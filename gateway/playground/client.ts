/// <reference lib="dom" />
import "graphiql/style.css"
import "./playground.css"
import { createGraphiQLFetcher, type Fetcher } from "@graphiql/toolkit"
import { GraphiQL } from "graphiql"
import { buildSchema, type ExecutionResult, GraphQLError, getOperationAST, parse } from "graphql"
import { createClient } from "graphql-ws"
import { createElement } from "react"
import { createRoot } from "react-dom/client"
import { examples } from "./examples.ts"
import sdl from "./schema.graphql" with { type: "text" }

const HTTP = "/graphql"
const SOCKET = new URL(HTTP, location.href.replace(/^http/, "ws")).href

/**
 * An access token lasts ten minutes, and people look at a playground for longer: the cookie is renewed as needed.
 * Answers whether anybody is signed in.
 */
async function staySignedIn(): Promise<boolean> {
  const { data, errors } = await ask("{ me { id } }")
  if (errors?.[0]?.extensions?.code !== "UNAUTHENTICATED") return Boolean(data?.me)
  return (await ask("mutation { refreshSession { id } }")).errors === undefined
}

interface Answered {
  data?: { me?: unknown }
  errors?: { extensions?: { code?: string } }[]
}

async function ask(query: string): Promise<Answered> {
  const response = await fetch(HTTP, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ query }),
  })
  return response.json()
}

const socket = createClient({
  // The cookie is read at the handshake: it has to be good by then.
  url: async () => {
    await staySignedIn()
    return SOCKET
  },
  retryAttempts: 10,
  shouldRetry: (event) => !(event instanceof CloseEvent && event.code === 4403),
})
const fetcher = createGraphiQLFetcher({ url: HTTP, wsClient: socket })

const friendly: Fetcher = async (params, options) => {
  const { operationName, documentAST, kind } = named(params.query, params.operationName)
  if (!["SignUp", "SignIn", "IntrospectionQuery"].includes(operationName ?? "")) {
    const signedIn = await staySignedIn()
    // A socket would be closed with 4403, which says the same in a number.
    if (kind === "subscription" && !signedIn) return SIGN_IN_FIRST
  }
  return fetcher({ ...params, operationName }, { ...options, documentAST })
}

const SIGN_IN_FIRST = {
  errors: [new GraphQLError("Sign in first: run SignUp or SignIn.")],
} as unknown as ExecutionResult

/** For a moment after a change of tabs, GraphiQL still names the operation of the tab before. */
function named(query: string, name: string | null | undefined) {
  try {
    const documentAST = parse(query)
    const operation = getOperationAST(documentAST, name) ?? getOperationAST(documentAST)
    return { documentAST, operationName: operation?.name?.value, kind: operation?.operation }
  } catch {
    // What does not parse is for the gateway to explain.
    return { operationName: name }
  }
}

/** A UUIDv7 (RFC 9562 §5.7). */
function newId(): string {
  const time = Date.now().toString(16).padStart(12, "0")
  const random = crypto.randomUUID()
  return `${time.slice(0, 8)}-${time.slice(8)}-7${random.slice(15)}`
}

const tabs = examples(newId)
/** GraphiQL remembers its tabs; only when it opens for the first time has it to be told what the first one holds. */
const isFirstVisit = localStorage.getItem("graphiql:tabState") === null

createRoot(document.getElementById("playground")!).render(
  createElement(GraphiQL, {
    fetcher: friendly,
    // An installation may keep its schema to itself: this is the one that it was made with.
    schema: buildSchema(sdl, { assumeValid: true }),
    defaultTabs: tabs,
    ...(isFirstVisit ? { variables: tabs[0]?.variables } : {}),
    defaultEditorToolsVisibility: "variables",
    isHeadersEditorEnabled: false,
    inputValueDeprecation: true,
  }),
)
