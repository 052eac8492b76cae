import { expect, test } from "bun:test"
import { CLOSE } from "@parley/link/close-codes.ts"
import { ERROR_CODES } from "@parley/platform/errors.ts"
import { buildASTSchema, isUnionType, parse } from "graphql"
import { ROOT } from "../platform/machine/root.ts"

const read = (path: string) => Bun.file(`${ROOT}/${path}`).text()
const protocol = await read("docs/protocol.md")

test("docs/protocol.md documents every error code", () => {
  for (const code of Object.keys(ERROR_CODES)) expect(protocol).toContain(`\`${code}\``)
})

test("docs/protocol.md documents every event", async () => {
  const schema = buildASTSchema(parse(await read("chat/graphql/schema.graphql")), {
    assumeValidSDL: true,
  })
  const union = schema.getType("Event")
  if (!isUnionType(union)) throw new Error("Event is no union")
  for (const { name } of union.getTypes()) expect(protocol).toContain(`\`${name}\``)
})

test("docs/protocol.md documents every close code, and the code names each", async () => {
  for (const code of Object.values(CLOSE)) {
    expect(protocol).toMatch(new RegExp(`^\\| *\`?${code}`, "m"))
  }
  const unnamed: string[] = []
  for await (const path of new Bun.Glob("{gateway,link,platform,chat}/**/*.ts").scan(ROOT)) {
    if (path.includes("test") || path.includes("node_modules")) continue
    const closes = (await read(path)).matchAll(
      /\b(?:close|quit|closeSocket)\((?:socket, )?\d{4}\b/g,
    )
    unnamed.push(...[...closes].map(([text]) => `${path}: ${text}`))
  }
  expect(unnamed).toEqual([])
})
