import fc from "fast-check"
import {
  type GraphQLField,
  type GraphQLObjectType,
  type GraphQLOutputType,
  type GraphQLSchema,
  getNamedType,
  isAbstractType,
  isLeafType,
  isNonNullType,
  isObjectType,
  parse,
  validate,
} from "graphql"

const DEPTH = 5

/** What random documents put into arguments, by the argument's name. Others are left to their defaults. */
export type Arguments = Record<string, readonly string[]>

/** Random valid operations, with aliases, fragments, unions, repeated fields and conditions by literal and variable. */
export function randomDocuments(
  schema: GraphQLSchema,
  options: {
    operation: "query" | "mutation" | "subscription"
    /** The root fields to choose from. */
    roots: readonly string[]
    arguments: Arguments
  },
): fc.Arbitrary<string> {
  const root = schema.getRootType(options.operation as never) as GraphQLObjectType
  return fc
    .infiniteStream(fc.nat())
    .map((stream) => {
      const write = new Writer(schema, options.arguments, (below) => stream.next().value! % below)
      return write.document(options.operation, root, options.roots)
    })
    .filter((text) => validate(schema, parse(text)).length === 0)
}

class Writer {
  private names = 0
  private readonly fragments: string[] = []

  constructor(
    private readonly schema: GraphQLSchema,
    private readonly given: Arguments,
    /** A whole number below the given one. */
    private readonly choose: (below: number) => number,
  ) {}

  document(operation: string, root: GraphQLObjectType, roots: readonly string[]): string {
    const count = operation === "query" ? 1 + this.choose(2) : 1
    const fields = Array.from({ length: count }, () => {
      const field = root.getFields()[roots[this.choose(roots.length)]!]!
      return this.field(field, DEPTH, operation === "query")
    })
    const variables = "($yes: Boolean = true, $no: Boolean = false)"
    // A variable that is declared must be used.
    const used = `${fields.join(" ")} ${this.fragments.join(" ")}`
    const declared = [..."yes no".split(" ")].filter((name) => used.includes(`$${name}`))
    const head = declared.length
      ? `(${variables
          .slice(1, -1)
          .split(", ")
          .filter((variable) => declared.some((name) => variable.startsWith(`$${name}`)))
          .join(", ")})`
      : ""
    return `${operation} Random${head} { ${fields.join(" ")} } ${this.fragments.join(" ")}`
  }

  private field(field: GraphQLField<unknown, unknown>, depth: number, mayAlias = true): string {
    const args = field.args.flatMap(({ name, type }) => {
      const values = this.given[name]
      if (!values) return []
      if (!isNonNullType(type) && this.choose(2)) return []
      return [`${name}: ${values[this.choose(values.length)]}`]
    })
    // Two of the same name with other arguments would be in conflict.
    const alias = mayAlias && (args.length > 0 || this.choose(4) === 0) ? `a${this.names++}: ` : ""
    const list = args.length > 0 ? `(${args.join(", ")})` : ""
    // The root field of a subscription must be there whatever the variables are.
    const condition = mayAlias ? this.condition() : ""
    return `${alias}${field.name}${list}${condition}${this.selection(field.type, depth - 1)}`
  }

  private selection(output: GraphQLOutputType, depth: number): string {
    const type = getNamedType(output)
    if (isLeafType(type)) return ""
    const parts: string[] = []
    if (isAbstractType(type)) {
      const types = this.schema.getPossibleTypes(type)
      for (let i = 0; i <= this.choose(3); i++) {
        const member = types[this.choose(types.length)]!
        parts.push(this.fragment(member.name, this.fields(member, depth)))
      }
      if (this.choose(2)) parts.push("__typename")
    }
    if (isObjectType(type)) parts.push(this.fields(type, depth))
    return ` { ${parts.join(" ") || "__typename"} }`
  }

  private fields(type: GraphQLObjectType, depth: number): string {
    const all = Object.values(type.getFields()).filter(
      (field) =>
        (isLeafType(getNamedType(field.type)) || depth > 0) &&
        field.args.every(({ name, type }) => !isNonNullType(type) || this.given[name]),
    )
    if (all.length === 0) return "__typename"
    const parts = Array.from({ length: 1 + this.choose(4) }, () => {
      const part = this.field(all[this.choose(all.length)]!, depth)
      return this.choose(6) === 0 ? this.fragment(type.name, part) : part
    })
    if (this.choose(5) === 0) parts.push(this.choose(2) ? "__typename" : "kind: __typename")
    return parts.join(" ")
  }

  private fragment(type: string, selection: string): string {
    if (this.choose(3) > 0) return `... on ${type}${this.condition()} { ${selection} }`
    const name = `F${this.names++}`
    this.fragments.push(`fragment ${name} on ${type} { ${selection} }`)
    return `...${name}${this.condition()}`
  }

  private condition(): string {
    const conditions = [
      "@include(if: $yes)",
      "@skip(if: $no)",
      "@include(if: $no)",
      "@skip(if: true)",
    ]
    return this.choose(8) === 0 ? ` ${conditions[this.choose(4)]}` : ""
  }
}
