/** Where browsers that the browser tests can drive are found, the first that is there; CHROMIUM says another place. */
export function findChromium(
  environment: Record<string, string | undefined> = process.env,
): string | undefined {
  const names = [environment.CHROMIUM, "chromium", "chromium-browser", "google-chrome"]
  for (const name of names) {
    const path = name && Bun.which(name)
    if (path) return path
  }
  return undefined
}
