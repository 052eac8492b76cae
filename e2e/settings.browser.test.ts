import { afterAll, beforeAll, expect, test } from "bun:test"
import { until } from "@parley/testing/until.ts"
import type { Browser, Page } from "playwright-core"
import { openBrowser, pageOf } from "../testing/browser.ts"
import { type Parley, startParley } from "../testing/parley.ts"

let parley: Parley
let browser: Browser

beforeAll(async () => {
  parley = await startParley()
  browser = await openBrowser()
}, 90_000)

afterAll(async () => {
  await browser?.close()
  await parley?.[Symbol.asyncDispose]()
})

const openAccount = async (page: Page) => {
  await page.getByRole("button", { name: "Account" }).click()
  return page.getByRole("group", { name: "Who may add you" })
}

test("one chooses who may add one, and others are refused in the app's words", async () => {
  const alice = await parley.person("Alice")
  const bob = await parley.person("Bob")
  const page = await pageOf(browser, alice)
  const setting = await openAccount(page)
  await setting.getByRole("radio", { name: "Everyone", checked: true }).waitFor()
  await setting.getByRole("radio", { name: "Nobody" }).click()
  await until(
    async () =>
      (await alice.get<{ settings: { mayAdd: string } }>("{ settings { mayAdd } }")).settings
        .mayAdd === "NOBODY",
    "the setting to be kept",
  )
  await page.reload()
  const again = await openAccount(page)
  await again.getByRole("radio", { name: "Nobody", checked: true }).waitFor()

  const other = await pageOf(browser, bob)
  await other.getByRole("button", { name: "New chat" }).click()
  await other.getByRole("searchbox", { name: "Search people" }).fill(alice.username)
  await other.getByRole("list", { name: "People" }).getByRole("button").first().click()
  await other.getByRole("dialog").getByRole("alert").waitFor()

  await again.getByRole("radio", { name: "People I share a conversation with" }).click()
  await again.getByRole("radio", { name: "Everyone" }).click()
  await until(
    async () =>
      (await bob.refusal("mutation($user: ID!) { startDirect(user: $user) { id } }", {
        user: alice.id,
      })) === undefined,
    "Bob to be let in",
  )
  expect(await page.getByRole("dialog").getByRole("alert").count()).toBe(0)
  for (const one of [page, other]) await one.context().close()
}, 60_000)
