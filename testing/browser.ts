import { findChromium } from "@parley/platform/machine/chromium.ts"
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core"
import type { Person } from "./person.ts"

/** A Chromium without a window. */
export const openBrowser = (): Promise<Browser> =>
  chromium.launch({
    executablePath: findChromium(),
    args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"],
  })

/** A screen as narrow as a phone's. */
export const PHONE = { width: 390, height: 844 }

/** Opens a page in a browser profile of its own in which the person is signed in. */
export async function pageOf(
  browser: Browser,
  person: Person,
  { at = "/", url = person.url, ...options }: Partial<BrowserContextOptions> & At = {},
): Promise<Page> {
  const context = await browser.newContext(options)
  await context.addCookies(
    [...person.cookies].map(([name, value]) => ({ name, value, url, httpOnly: true })),
  )
  const page = await context.newPage()
  page.setDefaultTimeout(20_000)
  await page.goto(`${url}${at}`)
  await isAlive(page)
  return page
}

/** Resolves once the page's script runs: before, what one types is not heard. The app writes this cookie first. */
export const isAlive = async (page: Page): Promise<void> => {
  await page.waitForFunction(() => document.cookie.includes("parley_tz"))
}

interface At {
  /** The path to open. */
  at?: string
  /** Where Parley is reached, if not directly. */
  url?: string
}

export const conversations = (page: Page) => page.getByRole("navigation", { name: "Conversations" })
export const message = (page: Page, text: string | RegExp) =>
  page.getByRole("article").filter({ hasText: text })
export const composer = (page: Page) => page.getByRole("textbox", { name: "Message" })

export async function write(page: Page, text: string): Promise<void> {
  await composer(page).fill(text)
  await page.keyboard.press("Enter")
}

/** Answers the operations of that name, of all tabs, as the test wants, where it wants; the rest goes to Parley. */
export async function answerInstead(
  page: Page,
  operation: string,
  answer: () => { status?: number; body: object } | undefined,
): Promise<{ times: number[] }> {
  const seen = { times: [] as number[] }
  await page.context().route("**/graphql", async (route) => {
    const body = route.request().postData() ?? ""
    const given = body.includes(`"operationName":"${operation}"`) ? answer() : undefined
    if (!given) return route.fallback()
    seen.times.push(performance.now())
    await route.fulfill({
      status: given.status ?? 200,
      contentType: "application/graphql-response+json",
      body: JSON.stringify(given.body),
    })
  })
  return seen
}

/** What a gateway answers whose chat is away, for a field that may be null. */
export const unavailable = (field: string) => ({
  body: {
    data: { [field]: null },
    errors: [
      {
        message: "The chat service cannot be reached just now.",
        path: [field],
        extensions: { code: "UNAVAILABLE", retryable: true },
      },
    ],
  },
})
