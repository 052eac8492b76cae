import process from "node:process"

/**
 * What the launcher `parley` hands over to, once Bun, the packages and the web app are there. Each command is loaded
 * when it is called, and answers with the status to end with.
 */
const commands: Record<string, (args: string[]) => Promise<number>> = {
  start: async (args) => (await import("./start.ts")).start(process.env, args),
  promote: async (args) => (await import("./promote/promote.ts")).promote(process.env, args),
  test: async (args) => (await import("./test-run.ts")).runTests(args),
  torture: async (args) => (await import("./torture/main.ts")).torture(args),
  attack: async (args) => (await import("./attack/main.ts")).attack(args),
}

const [name = "", ...args] = process.argv.slice(2)
const command = commands[name]
if (!command) {
  process.stderr.write(`There is no command "${name}": ./parley help lists them.\n`)
  process.exit(2)
}
process.exit(await command(args))
