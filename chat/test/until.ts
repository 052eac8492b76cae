/** Resolves once `condition` holds; fails, saying what it waited for, when it does not in time. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what = "the condition",
  withinMs = 20_000,
): Promise<void> {
  const deadline = Date.now() + withinMs
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`gave up waiting for ${what}`)
    await Bun.sleep(2)
  }
}
