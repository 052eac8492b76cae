import { jobs } from "./jobs.ts"

/** The load process: does what it is told over IPC, one call at a time, and answers with the result. */
process.on("message", async ({ job, args }: { job: keyof typeof jobs; args: never }) => {
  try {
    process.send?.({ result: await jobs[job](args) })
  } catch (error) {
    process.send?.({ error: (error as Error).message })
  }
})
// Whoever started it is gone: so is the reason to go on.
process.on("disconnect", () => process.exit(0))
process.send?.({ result: "ready" })
