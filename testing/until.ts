/** Resolves once `condition` holds; fails, saying what it waited for, when it does not within `within` ms. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what = "the condition",
  within = 15_000,
): Promise<void> {
  const deadline = Date.now() + within
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`gave up waiting for ${what}`)
    await Bun.sleep(2)
  }
}
