import { afterAll, beforeAll, expect, test } from "bun:test"
import { until } from "@parley/testing/until.ts"
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core"
import { findChromium } from "../platform/machine/chromium.ts"
import { type Parley, startParley } from "../testing/parley.ts"

let parley: Parley
let browser: Browser

beforeAll(async () => {
  parley = await startParley()
  browser = await chromium.launch({
    executablePath: findChromium(),
    args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"],
  })
}, 90_000)

afterAll(async () => {
  await browser?.close()
  await parley?.[Symbol.asyncDispose]()
})

/** Someone in a browser of their own, with what its console complains of. */
async function newcomer(name: string) {
  const context = await browser.newContext()
  const page = await context.newPage()
  page.setDefaultTimeout(30_000)
  const complaints: string[] = []
  page.on("pageerror", (error) => void complaints.push(String(error)))
  await page.goto(parley.url)
  await page.getByRole("link", { name: "Create an account" }).click()
  await page.getByRole("textbox", { name: "Username" }).fill(name.toLowerCase())
  await page.getByRole("textbox", { name: "Name (optional)" }).fill(name)
  await page.getByLabel("Password", { exact: true }).fill("correct horse battery staple")
  await page.getByRole("button", { name: "Create account" }).click()
  await page.getByRole("navigation", { name: "Conversations" }).waitFor()
  return { context, page, complaints }
}

async function say(page: Page, text: string): Promise<void> {
  await page.getByRole("textbox", { name: "Message" }).fill(text)
  await page.getByRole("button", { name: "Send" }).click()
}

const message = (page: Page, text: string) => page.getByRole("article").filter({ hasText: text })

const messagesOf = (page: Page) => page.getByRole("log").getByRole("article").count()

/** Takes the network away. Chromium leaves open sockets alone: that one goes with the gateway, which comes back. */
async function goOffline(context: BrowserContext): Promise<void> {
  await context.setOffline(true)
  process.kill(parley.pidsOf("gateway")[0]!, "SIGKILL")
}

test("two people chat: they see each other's messages and ticks, through reloads and a lost line", async () => {
  const alice = await newcomer("Alice")
  const bob = await newcomer("Bob")

  await alice.page.getByRole("button", { name: "New chat" }).click()
  await alice.page.getByRole("searchbox", { name: "Search people" }).fill("bob")
  await alice.page.getByRole("list", { name: "People" }).getByRole("button").first().click()
  await alice.page.getByRole("region", { name: "Conversation with Bob" }).waitFor()
  await say(alice.page, "Hello Bob")

  const link = bob.page.getByRole("navigation", { name: "Conversations" }).getByRole("link")
  await link
    .filter({ hasText: "1 unread" })
    .or(link.filter({ hasText: "Hello Bob" }))
    .first()
    .click()
  await bob.page.getByRole("region", { name: "Conversation with Alice" }).waitFor()
  await message(bob.page, "Hello Bob").waitFor()
  await message(alice.page, "Hello Bob").getByRole("img", { name: "Read" }).waitFor()
  await say(bob.page, "Hello Alice")
  await message(alice.page, "Hello Alice").waitFor()

  // The page comes from the server as it was, and goes on being live.
  await bob.page.reload()
  await message(bob.page, "Hello Alice").waitFor()
  await say(alice.page, "after the reload")
  await message(bob.page, "after the reload").waitFor()

  // What is written without a network goes out when it is back, once; what was missed arrives without a reload.
  await goOffline(bob.context)
  await say(bob.page, "written offline")
  await message(bob.page, "written offline").getByRole("img", { name: "Sending" }).waitFor()
  await say(alice.page, "missed by Bob")
  await message(alice.page, "missed by Bob")
    .getByRole("img", { name: /Sent|Delivered/ })
    .waitFor()
  await bob.context.setOffline(false)
  await message(bob.page, "missed by Bob").waitFor()
  await message(alice.page, "written offline").waitFor()

  for (const { page, complaints } of [alice, bob]) {
    await until(async () => (await messagesOf(page)) === 5, "both to have all five messages, once")
    expect(complaints).toEqual([])
  }

  await alice.page.getByRole("button", { name: "Account" }).click()
  await alice.page.getByRole("button", { name: "Sign out" }).click()
  await alice.page.getByRole("button", { name: "Sign in" }).waitFor()
}, 120_000)
