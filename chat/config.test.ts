import { expect, test } from "bun:test"
import { LIFTED_LIMITS } from "@parley/testing/lifted-limits.ts"
import { readChatConfig } from "./config.ts"
import { WRITE_LIMITS } from "./limits.ts"

const told = { AUTH_URL: "http://localhost:1", LINK_SECRET: "a secret of thirty-two characters" }

test("what one account may write is as WRITE_LIMITS says, but for what the environment says", () => {
  expect(readChatConfig(told).writeLimits).toEqual(WRITE_LIMITS)
  // As compose.yaml passes on what is not set.
  expect(readChatConfig({ ...told, GROUPS_PER_DAY: "" }).writeLimits).toEqual(WRITE_LIMITS)
  expect(readChatConfig({ ...told, GROUPS_PER_DAY: "7" }).writeLimits).toEqual({
    ...WRITE_LIMITS,
    GROUPS_PER_DAY: 7,
  })
})

test("harnesses lift every one of them", () => {
  const { writeLimits } = readChatConfig({ ...told, ...LIFTED_LIMITS })
  for (const limit of Object.values(writeLimits!)) expect(limit).toBeGreaterThan(1e11)
})
