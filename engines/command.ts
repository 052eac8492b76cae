/** How a command ended, and what it said, both streams together. */
export interface Outcome {
  status: number
  output: string
}

/**
 * Runs a command to its end, with no input. What cannot be started, or takes longer than `timeout` ms, has a status
 * other than 0 like everything else that fails.
 */
export async function runCommand(
  command: string[],
  environment: Record<string, string | undefined>,
  timeout: number,
): Promise<Outcome> {
  try {
    const child = Bun.spawn(command, {
      env: environment,
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
      timeout,
      killSignal: "SIGKILL",
    })
    const [out, error, status] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
      child.exited,
    ])
    return { status, output: `${out}${error}` }
  } catch (error) {
    return { status: 127, output: error instanceof Error ? error.message : String(error) }
  }
}
