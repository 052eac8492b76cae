import { afterAll, beforeAll, expect, test } from "bun:test"
import { until } from "@parley/testing/until.ts"
import type { Browser, Page } from "playwright-core"
import {
  answerInstead,
  composer,
  conversations,
  message,
  openBrowser,
  PHONE,
  pageOf,
  unavailable,
  write,
} from "../testing/browser.ts"
import { LIFTED_LIMITS } from "../testing/lifted-limits.ts"
import { type Line, openLine } from "../testing/line.ts"
import { type Parley, startParley } from "../testing/parley.ts"
import type { Person } from "../testing/person.ts"

let parley: Parley
let browser: Browser
let line: Line
let alice: Person
let bob: Person
/** Of Alice and Bob: long enough that a screen does not show all of it. */
let chat: string
const MESSAGES = 130

beforeAll(async () => {
  parley = await startParley("one embedded node", {
    environment: LIFTED_LIMITS,
  })
  browser = await openBrowser()
  line = await openLine(parley.url)
  alice = await parley.person("Alice")
  bob = await parley.person("Bob")
  chat = await alice.chatWith(bob)
  for (let i = 1; i <= MESSAGES; i += 1) await alice.deliver(chat, `Message ${i}.`)
}, 90_000)

afterAll(async () => {
  await browser?.close()
  await line?.[Symbol.asyncDispose]()
  await parley?.[Symbol.asyncDispose]()
})

const at = (conversation: string) => `/c/${conversation}`
const tryAgain = (page: Page) => page.getByRole("button", { name: "Try again" })
const lineOf = (page: Page, text: string) =>
  conversations(page).getByRole("link").filter({ hasText: text })

test("an answer with an error is none: what could not be loaded has not been left", async () => {
  const page = await pageOf(browser, alice)
  let away = true
  const instead = () => (away ? unavailable("conversation") : undefined)
  const { times } = await answerInstead(page, "OneConversation", instead)
  // A conversation that is new to the page, and one that it knows, whose log is not to be had.
  await answerInstead(page, "Log", instead)
  const carol = await parley.person("Carol")
  const fresh = await carol.chatWith(alice)
  await carol.deliver(fresh, "Hello from Carol")
  await until(() => times.length >= 2, "the page to ask, and to ask again")
  await lineOf(page, "Bob").click()
  await tryAgain(page).waitFor()
  expect(await page.getByText("You are not part of this conversation").count()).toBe(0)
  expect(await lineOf(page, "Bob").count()).toBe(1)
  away = false
  await tryAgain(page).click()
  await message(page, `Message ${MESSAGES}.`).waitFor()
  await lineOf(page, "Hello from Carol").waitFor()

  // "Not found" is the one answer that says it.
  const third = await parley.person("Third")
  const foreign = await carol.chatWith(third)
  await page.goto(`${parley.url}${at(foreign)}`)
  await page.getByText("You are not part of this conversation").waitFor()
  await page.goto(`${parley.url}/c/no-id`)
  await page.getByText("You are not part of this conversation").waitFor()
  await page.context().close()
}, 60_000)

test("a server that refuses older pages is asked a few times, not for ever; then they come", async () => {
  const page = await pageOf(browser, alice)
  let away = false
  const refusals = [
    () => unavailable("conversation"),
    () => ({
      status: 503,
      body: { errors: [{ message: "No.", extensions: { code: "UNAVAILABLE" } }] },
    }),
  ]
  let kind = 0
  const { times } = await answerInstead(page, "Log", () => (away ? refusals[kind]?.() : undefined))
  await lineOf(page, "Bob").click()
  await message(page, `Message ${MESSAGES}.`).waitFor()
  away = true
  const log = page.getByRole("log")
  const toTop = () => log.evaluate((element) => element.scrollTo(0, -element.scrollHeight))
  for (kind of [0, 1]) {
    await toTop()
    await page.getByText("Older messages cannot be loaded just now.").waitFor()
    const before = times.length
    await page.waitForTimeout(3_000)
    // The pauses double from 150 to 300 ms: five attempts fit into 3 s.
    expect(times.length - before).toBeLessThanOrEqual(6)
  }
  // More that arrives in between makes it try no sooner.
  const before = times.length
  for (let i = 0; i < 20; i += 1) await bob.deliver(chat, `Meanwhile ${i}`)
  expect(times.length - before).toBeLessThanOrEqual(3)
  away = false
  await tryAgain(page).click()
  await until(async () => {
    await toTop()
    return (await message(page, /Message 1\./).count()) > 0
  }, "the oldest message")
  expect(await page.getByText("cannot be loaded").count()).toBe(0)
  await page.context().close()
}, 60_000)

test("`retryAfterMs` is honoured by what loads and by what is sent, in order", async () => {
  const page = await pageOf(browser, alice, { at: at(chat) })
  let refused = 0
  const { times } = await answerInstead(page, "SendMessage", () => {
    refused += 1
    if (refused > 1) return undefined
    const extensions = { code: "RATE_LIMITED", retryable: true, retryAfterMs: 2_000 }
    return { status: 429, body: { errors: [{ message: "Too many.", extensions }] } }
  })
  const begun = performance.now()
  for (const text of ["one", "two", "three"]) await write(page, `Limited ${text}`)
  await message(page, "Limited one").getByRole("img", { name: "Sending" }).waitFor()
  await message(page, "Limited three")
    .getByRole("img", { name: /Sent|Delivered|Read/ })
    .waitFor()
  expect(performance.now() - begun).toBeGreaterThanOrEqual(2_000)
  expect(times.length).toBe(1)
  const sent = await page.getByRole("article").filter({ hasText: "Limited" }).allInnerTexts()
  expect(sent.map((text) => /Limited (\w+)/.exec(text)?.[1])).toEqual(["one", "two", "three"])
  await page.context().close()
}, 60_000)

test("a conversation whose first load failed loads when the line is back, and by a tap", async () => {
  const page = await pageOf(browser, bob, { url: line.url })
  await lineOf(page, "Alice").waitFor()
  line.set("refuses")
  await lineOf(page, "Alice").click()
  await tryAgain(page).waitFor()
  line.set("passes")
  await page.getByRole("log").getByRole("article").first().waitFor()

  // One failed answer while everything else works is enough for a spinner; not for ever.
  const other = await pageOf(browser, bob)
  let first = true
  await answerInstead(other, "Log", () => {
    if (!first) return undefined
    first = false
    return unavailable("conversation")
  })
  await lineOf(other, "Alice").click()
  await other.getByRole("log").getByRole("article").first().waitFor()
  await page.context().close()
  await other.context().close()
}, 60_000)

test("a phone with a conversation open says that it is offline, and for how long it takes to connect", async () => {
  const page = await pageOf(browser, bob, { at: at(chat), url: line.url, viewport: PHONE })
  const offline = page.getByText("You are offline.")
  await page.context().setOffline(true)
  await offline.waitFor()
  const box = await offline.boundingBox()
  expect(box && box.y >= 0 && box.width > 300).toBe(true)
  await page.context().setOffline(false)
  await offline.waitFor({ state: "detached" })
  line.set("refuses")
  await page.getByText("Connecting…").waitFor()
  line.set("passes")
  await page.getByText("Connecting…").waitFor({ state: "detached" })
  await page.context().close()
}, 60_000)

/** What IndexedDB does in a browser where it does not work; given to the page as text. */
const DISKS = {
  "open hangs": `IDBFactory.prototype.open = () => new EventTarget()`,
  "open fails": `IDBFactory.prototype.open = () => { throw new DOMException("No.", "UnknownError") }`,
  "put fails": `IDBObjectStore.prototype.put = () => { throw new DOMException("No.", "UnknownError") }`,
  // A transaction that goes on for ever, as behind another one that does not end.
  "put hangs": `const { put } = IDBObjectStore.prototype
    IDBObjectStore.prototype.put = function (value) {
      const again = () => { this.count().onsuccess = again }
      again()
      return put.call(this, value)
    }`,
  "reading fails": `IDBIndex.prototype.getAll = () => { throw new DOMException("No.", "UnknownError") }`,
  "reading hangs": `IDBIndex.prototype.getAll = () => new EventTarget()`,
}

for (const [fault, script] of Object.entries(DISKS)) {
  test(`IndexedDB: ${fault}: the page connects, the text stays and is sent once`, async () => {
    const page = await pageOf(browser, alice, { at: at(chat) })
    const complaints: string[] = []
    page.on("pageerror", (error) => void complaints.push(String(error)))
    await page.addInitScript(script)
    await page.reload()
    await composer(page).waitFor()
    await page.waitForFunction(() => document.activeElement?.tagName === "TEXTAREA")
    const text = `On a disk whose ${fault}`
    await write(page, text)
    await message(page, text).waitFor({ timeout: 1_000 })
    expect(await composer(page).inputValue()).toBe("")
    await message(page, text)
      .getByRole("img", { name: /Sent|Delivered|Read/ })
      .waitFor()
    await bob.deliver(chat, `Heard: ${fault}`)
    await message(page, `Heard: ${fault}`).waitFor()
    expect(await message(page, text).count()).toBe(1)
    expect(complaints).toEqual([])
    await page.context().close()
  }, 60_000)
}

test("a full disk says so, in these words, and trying again sends all the same", async () => {
  const page = await pageOf(browser, alice, { at: at(chat) })
  await page.addInitScript(
    `IDBObjectStore.prototype.put = () => { throw new DOMException("Full.", "QuotaExceededError") }`,
  )
  await page.reload()
  await page.waitForFunction(() => document.activeElement?.tagName === "TEXTAREA")
  await write(page, "On a full disk")
  await message(page, "On a full disk").getByText("This device has no room").waitFor()
  await message(page, "On a full disk").getByRole("button", { name: "Try again" }).click()
  await message(page, "On a full disk")
    .getByRole("img", { name: /Sent|Delivered|Read/ })
    .waitFor()
  await page.context().close()
}, 60_000)

test("a group whose making was not answered is made once, however often one tries", async () => {
  const page = await pageOf(browser, alice)
  let attempts = 0
  await page.route("**/graphql", async (route) => {
    if (!(route.request().postData() ?? "").includes('"operationName":"CreateGroup"')) {
      return route.fallback()
    }
    attempts += 1
    if (attempts > 1) return route.fallback()
    await route.fetch()
    await route.abort()
  })
  await page.getByRole("button", { name: "New chat" }).click()
  await page.getByRole("button", { name: "New group" }).click()
  await page.getByRole("textbox", { name: "Group name" }).fill("Made once")
  await page.getByRole("searchbox", { name: "Search people" }).fill(bob.username)
  await page.getByRole("list", { name: "People" }).getByRole("button").first().click()
  const create = page.getByRole("button", { name: "Create group" })
  await create.click()
  await page.getByRole("alert").waitFor()
  await create.click()
  await page.getByRole("region", { name: "Conversation with Made once" }).waitFor()
  expect(attempts).toBe(2)
  const { conversations } = await alice.get<{
    conversations: { edges: { node: { title: string | null } }[] }
  }>("{ conversations(first: 30) { edges { node { title } } } }")
  expect(conversations.edges.filter(({ node }) => node.title === "Made once").length).toBe(1)
  await page.context().close()
}, 60_000)
