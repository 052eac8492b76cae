import {
  type GraphQLCompositeType,
  type GraphQLField,
  type GraphQLSchema,
  getNamedType,
  isAbstractType,
  isCompositeType,
  isObjectType,
  isUnionType,
} from "graphql"

/** A number from 0 up to 1, the same series for the same seed (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/**
 * Writes hostile documents of the GraphQL grammar: each is heavy in a few ways that are drawn at random, some of them
 * just within the limits, some far beyond, about half of them valid.
 */
export class FuzzDocument {
  private readonly counts: Record<
    | "fragments"
    | "fields"
    | "inline"
    | "arguments"
    | "variables"
    | "directives"
    | "filler"
    | "operations",
    number
  >
  private readonly depth: number
  private readonly valid: boolean
  private readonly sameName: boolean
  private left: number

  constructor(
    private readonly schema: GraphQLSchema,
    private readonly random: () => number,
  ) {
    const scale = () => (this.chance(0.5) ? 0 : Math.floor(Math.exp(random() * 7)))
    this.counts = {
      fragments: this.chance(0.4) ? this.below(33) : 0,
      fields: 1 + Math.floor(Math.exp(random() * 6.3)),
      inline: this.chance(0.5) ? this.below(110) : 0,
      arguments: scale(),
      variables: this.chance(0.4) ? this.below(55) : 0,
      directives: this.chance(0.3) ? this.below(55) : 0,
      filler: this.chance(0.4) ? Math.floor(Math.exp(random() * 12.4)) : 0,
      operations: this.chance(0.2) ? 1 + this.below(20) : 1,
    }
    this.depth = 2 + this.below(this.chance(0.2) ? 40 : 12)
    this.valid = this.chance(0.7)
    this.sameName = this.chance(0.4)
    this.left = this.counts.fields
  }

  text(): string {
    const { fragments, operations, filler } = this.counts
    const query = this.schema.getQueryType()!
    const types = Object.values(this.schema.getTypeMap()).filter(
      (type): type is GraphQLCompositeType => isCompositeType(type) && !type.name.startsWith("__"),
    )
    const parts: string[] = []
    for (let i = 0; i < operations; i++) {
      this.left = this.counts.fields / operations
      const variables = this.variables()
      parts.push(
        `query Q${i}${variables} ${this.directives(2)}${this.selection(query, this.depth)}`,
      )
    }
    for (let i = 0; i < fragments; i++) {
      this.left = this.counts.fields / fragments
      const type = i < 4 ? query : types[this.below(types.length)]!
      parts.push(`fragment F${i} on ${type.name} ${this.selection(type, this.depth / 2)}`)
    }
    const blank = ["\n", "#\n", ",", " ", "#x\r\n", "\ufeff"][this.below(6)]!
    parts.splice(this.below(parts.length + 1), 0, blank.repeat(filler / blank.length))
    return parts.join("\n").slice(0, 256 * 1024)
  }

  private selection(type: GraphQLCompositeType, depth: number): string {
    const parts: string[] = []
    const count = 1 + this.below(this.sameName ? 12 : 6)
    for (let i = 0; i < count && this.left > 0; i++) parts.push(this.part(type, depth))
    return `{${parts.join(" ") || "__typename"}}`
  }

  private part(type: GraphQLCompositeType, depth: number): string {
    this.left--
    const { fragments, inline } = this.counts
    if (fragments > 0 && this.chance(0.3)) {
      return `...F${this.below(fragments + (this.valid ? 0 : 1))}${this.directives(1)}`
    }
    if (inline > 0 && depth > 0 && this.chance(0.3)) {
      const inside = isAbstractType(type)
        ? this.schema.getPossibleTypes(type)[this.below(this.schema.getPossibleTypes(type).length)]!
        : type
      return `...on ${inside.name}${this.directives(1)}${this.selection(inside, depth - 1)}`
    }
    const fields = isUnionType(type) ? [] : Object.values(type.getFields())
    const field = fields[this.below(fields.length)]
    if (!field) return "__typename"
    return this.field(field, depth)
  }

  private field(field: GraphQLField<unknown, unknown>, depth: number): string {
    const type = getNamedType(field.type)
    const composite = isCompositeType(type)
    if (composite && depth <= 0) return "__typename"
    const alias = this.sameName
      ? this.chance(0.1)
        ? "a:"
        : ""
      : this.chance(0.1)
        ? this.name()
        : ""
    const name = this.valid || this.chance(0.95) ? field.name : "nope"
    const given = field.args.map((argument) => `${argument.name}:${this.value(3)}`)
    if (!this.valid && this.counts.arguments > 0 && this.chance(0.1)) {
      const more = Math.min(this.counts.arguments, 400)
      for (let i = 0; i < more; i++) given.push(`${this.chance(0.5) ? "id" : `x${i}`}:1`)
    }
    const list = given.length > 0 && this.chance(0.8) ? `(${given.join(" ")})` : ""
    const inside = composite && (isObjectType(type) || isAbstractType(type))
    return `${alias}${name}${list}${this.directives(1)}${inside ? this.selection(type, depth - 1) : ""}`
  }

  private value(depth: number): string {
    if (depth > 0 && this.counts.arguments > 50 && this.chance(0.05)) {
      const deep = this.below(30)
      return `${"[".repeat(deep)}${"1 ".repeat(this.counts.arguments)}${"]".repeat(deep)}`
    }
    if (this.counts.variables > 0 && this.chance(0.3))
      return `$v${this.below(this.counts.variables)}`
    return ["1", '"x"', "null", '"""y"""', `{a:${depth > 0 ? this.value(depth - 1) : 1}}`, "E"][
      this.below(this.valid ? 2 : 6)
    ]!
  }

  private variables(): string {
    const { variables } = this.counts
    if (variables === 0) return ""
    const types = ["ID!", "Int", "Boolean!", "[[[Int]]]", "SendMessageInput"]
    const declared = Array.from(
      { length: variables },
      (_, i) => `$v${i}:${types[this.below(types.length)]}`,
    )
    return `(${declared.join(" ")})`
  }

  private directives(most: number): string {
    if (this.counts.directives === 0 || !this.chance(0.2)) return ""
    return ` ${"@include(if:true)".repeat(1 + this.below(most))}`
  }

  private name(): string {
    const length = this.chance(0.02) ? 20_000 : 1 + this.below(4)
    return `${"abcdefghij"[this.below(10)]!.repeat(length)}:`
  }

  private chance = (likelihood: number) => this.random() < likelihood
  private below = (limit: number) => Math.floor(this.random() * limit)
}
