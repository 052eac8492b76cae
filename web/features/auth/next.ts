/** Stands for the site that the page is on; no real one has this name. */
const HERE = "http://here.invalid"

/**
 * Where to go after signing in: the path that was asked for, where it is one of this site, else the start. Takes what
 * stands in an address, so nothing of it can be trusted: another site would be an open redirect.
 */
export function safeNext(given: unknown): string {
  if (typeof given !== "string" || given.length > MOST_CHARACTERS) return "/"
  // Browsers read `\` as `/` and leave out tabs and line breaks: `/\host` and `/<tab>/host` are other sites.
  if (!/^\/(?![/\\])/.test(given) || /[\p{Cc}\\]/u.test(given)) return "/"
  const url = URL.canParse(given, HERE) ? new URL(given, HERE) : undefined
  if (url?.origin !== HERE) return "/"
  // After resolving `..` too: `/c/..//host` begins with two slashes.
  const path = `${url.pathname}${url.search}`
  if (/^\/[/\\]/.test(path) || /^\/sign-(in|up)\b/.test(path)) return "/"
  return path
}

/** Longer than any address of this site. */
const MOST_CHARACTERS = 1_000

/** A link to a page for signing in that goes on to `next`. */
export const withNext = (page: "/sign-in" | "/sign-up", next: string): string =>
  next === "/" ? page : `${page}?next=${encodeURIComponent(next)}`
