import { expect, test } from "bun:test"
import { inRoot } from "../../platform/machine/root.ts"

async function attack(...args: string[]) {
  const child = Bun.spawn([process.execPath, inRoot("cli/attack/main.ts"), ...args], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  })
  const [status, err] = await Promise.all([child.exited, new Response(child.stderr).text()])
  return { status, err }
}

test("says what it knows", async () => {
  const { status, err } = await attack("--help")
  expect(status).toBe(0)
  expect(err).toContain("fragments, validation, planner")
})

test.each([
  [["no-such-attack"], 'There is no attack "no-such-attack".'],
  [["--seconds", "60"], '"--seconds 60" is not understood.'],
  [["--engines", "paper"], '"--engines paper" is not understood.'],
])("refuses %p", async (args, says) => {
  const { status, err } = await attack(...args)
  expect(status).toBe(2)
  expect(err).toContain(says)
})

test("variants of which there is none are no success", async () => {
  const { status } = await attack("--variant", "no such variant")
  expect(status).toBe(1)
})
