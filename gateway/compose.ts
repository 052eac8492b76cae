import { composeServices } from "@apollo/composition"
import { parse } from "graphql"

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

if (import.meta.main) {
  await Bun.write(`${import.meta.dir}/supergraph.graphql`, await composeSupergraph())
}
