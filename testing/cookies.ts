/** A browser's cookies by their names, as one Parley gives them. */
export class Cookies extends Map<string, string> {
  /** The access token; empty where there is none. */
  get token(): string {
    return this.get("parley_access") ?? ""
  }

  /** As a request carries them. */
  get header(): string {
    return [...this].map(([name, value]) => `${name}=${value}`).join("; ")
  }

  /** Takes what an answer sets, and drops what it clears. */
  keep(response: Response): void {
    for (const line of response.headers.getSetCookie()) {
      const { name, value, maxAge } = Bun.Cookie.parse(line)
      if (maxAge === 0 || value === "") this.delete(name)
      else this.set(name, value)
    }
  }
}
