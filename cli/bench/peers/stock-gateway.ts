import {
  ApolloGateway,
  type GraphQLDataSourceProcessOptions,
  RemoteGraphQLDataSource,
} from "@apollo/gateway"
import { type DocumentNode, parse, validate } from "graphql"

/**
 * `@apollo/gateway` as its own documentation has it: RemoteGraphQLDataSource to each subgraph, with the caller's token
 * and the link secret as headers, behind a plain HTTP server. Documents are parsed and validated once, as any server
 * around it would do. It checks no token itself. A process of its own, beside which `query` is measured.
 */
interface Context {
  authorization: string
}

const { LINK_SECRET = "", AUTH_URL, CHAT_URL, SUPERGRAPH = "" } = process.env
const urls: Record<string, string> = { auth: `${AUTH_URL}/graphql`, chat: `${CHAT_URL}/graphql` }

const gateway = new ApolloGateway({
  supergraphSdl: await Bun.file(SUPERGRAPH).text(),
  buildService: ({ name }) =>
    new RemoteGraphQLDataSource<Context>({
      url: urls[name],
      willSendRequest({ request, context }: GraphQLDataSourceProcessOptions<Context>) {
        request.http?.headers.set("x-parley-secret", LINK_SECRET)
        // Absent while the gateway loads.
        if (context.authorization) request.http?.headers.set("authorization", context.authorization)
      },
    }),
})
const { schema, executor } = await gateway.load()
const documents = new Map<string, { document: DocumentNode; queryHash: string }>()

function read(query: string) {
  const known = documents.get(query)
  if (known) return known
  const document = parse(query)
  const [error] = validate(schema, document)
  if (error) throw error
  const queryHash = new Bun.CryptoHasher("sha256").update(query).digest("hex")
  const made = { document, queryHash }
  documents.set(query, made)
  return made
}

const server = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  async fetch(request) {
    const { query, variables } = (await request.json()) as { query: string; variables?: object }
    const { document, queryHash } = read(query)
    const [operation] = document.definitions
    const result = await executor({
      request: { query, variables },
      context: { authorization: request.headers.get("authorization") ?? "" },
      schema,
      document,
      queryHash,
      source: query,
      operation,
      operationName: null,
      logger: console,
      metrics: {},
    } as never)
    return Response.json(result)
  },
})
process.stdout.write(`listening ${server.port}\n`)
process.once("SIGTERM", () => process.exit(0))
