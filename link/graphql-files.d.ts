/** Bun imports a schema as its text: `import typeDefs from "./schema.graphql" with { type: "text" }`. */
declare module "*.graphql" {
  const text: string
  export default text
}
