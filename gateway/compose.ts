import { composeServices } from "@apollo/composition"
import { Supergraph } from "@apollo/federation-internals"
import { parse, printSchema } from "graphql"

const subgraph = async (name: string) => ({
  name,
  url: `http://${name}/graphql`,
  typeDefs: parse(await Bun.file(`${import.meta.dir}/../${name}/graphql/schema.graphql`).text()),
})

/**
 * Composes the subgraphs' schemas into the supergraph. Done when a schema changes and not when the gateway starts:
 * composing at start would fail whenever a subgraph is down.
 * @throws Error that lists what does not compose.
 */
export async function composeSupergraph(): Promise<string> {
  const { supergraphSdl, errors } = composeServices([
    await subgraph("auth"),
    await subgraph("chat"),
  ])
  if (errors) throw new Error(errors.map((error) => error.message).join("\n"))
  return `${supergraphSdl}\n`
}

/** What clients see of a supergraph, as text: for the playground, where the API does not tell its schema itself. */
export const publicSchema = (supergraphSdl: string): string =>
  `${printSchema(Supergraph.build(supergraphSdl).apiSchema().toGraphQLJSSchema())}\n`

if (import.meta.main) {
  const supergraphSdl = await composeSupergraph()
  await Bun.write(`${import.meta.dir}/supergraph.graphql`, supergraphSdl)
  await Bun.write(`${import.meta.dir}/playground/schema.graphql`, publicSchema(supergraphSdl))
}
