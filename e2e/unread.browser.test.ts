import { afterAll, beforeAll, expect, test } from "bun:test"
import { until } from "@parley/testing/until.ts"
import type { Browser, Page } from "playwright-core"
import { conversations, isAlive, message, openBrowser, pageOf, write } from "../testing/browser.ts"
import { LIFTED_LIMITS } from "../testing/lifted-limits.ts"
import { type Parley, startParley } from "../testing/parley.ts"
import type { Person } from "../testing/person.ts"

let parley: Parley
let browser: Browser

beforeAll(async () => {
  parley = await startParley("one embedded node", {
    environment: LIFTED_LIMITS,
  })
  browser = await openBrowser()
}, 90_000)

afterAll(async () => {
  await browser?.close()
  await parley?.[Symbol.asyncDispose]()
})

/** A reader with so many unread messages from one writer, after ten that were read. */
async function unread(count: number) {
  const writer = await parley.person("Writer")
  const reader = await parley.person("Reader")
  const chat = await writer.chatWith(reader)
  for (let i = 1; i <= 10; i += 1) await writer.deliver(chat, `Old ${i}.`)
  await reader.get("mutation($chat: ID!) { markRead(conversation: $chat, seq: 11) { read } }", {
    chat,
  })
  await writeMany(writer, chat, count)
  return { writer, reader, chat }
}

async function writeMany(writer: Person, chat: string, count: number, from = 1): Promise<void> {
  for (let i = from; i < from + count; i += 1) await writer.deliver(chat, `Message ${i}.`)
}

const unreadOf = async (reader: Person, chat: string): Promise<number> => {
  const { conversation } = await reader.get<{ conversation: { unreadCount: number } }>(
    "query($chat: ID!) { conversation(id: $chat) { unreadCount } }",
    { chat },
  )
  return conversation.unreadCount
}

const log = (page: Page) => page.getByRole("log")
const isSeen = (page: Page, text: string) =>
  message(page, text)
    .first()
    .evaluate((element) => {
      const view = element.closest("[role=log]")?.getBoundingClientRect()
      const { top, bottom } = element.getBoundingClientRect()
      return view !== undefined && top >= view.top && bottom <= view.bottom
    })

/** Longer than a mark waits to be told: 500 ms. */
const MARKED_MS = 1_000

async function opensAtFirstUnread(page: Page, reader: Person, chat: string, count: number) {
  await page.getByText(`${count} new messages`, { exact: true }).waitFor()
  await until(() => isSeen(page, "Message 1."), "the first unread message on the screen")
  await page.waitForTimeout(MARKED_MS)
  expect(await isSeen(page, "Message 1.")).toBe(true)
  expect(await unreadOf(reader, chat)).toBe(count)
}

const texts = async (page: Page) =>
  (await log(page).getByRole("article").allInnerTexts()).flatMap(
    (text) => /(?:Message|Old) \d+\./.exec(text)?.[0] ?? [],
  )

test("300 unread: opens at the first, shows each on the way down, and marks them read at the end", async () => {
  const { reader, chat } = await unread(300)
  const page = await pageOf(browser, reader, { at: `/c/${chat}` })
  await opensAtFirstUnread(page, reader, chat, 300)
  // Screen by screen: nothing is skipped, and what is read stays where it is while more is loaded below.
  const seen = new Set<string>()
  for (let step = 0; step < 400 && !seen.has("Message 300."); step += 1) {
    const view = await log(page).evaluate((element) => {
      const { top, bottom } = element.getBoundingClientRect()
      const articles = [...element.querySelectorAll("article")].filter((article) => {
        const box = article.getBoundingClientRect()
        return box.bottom > top && box.top < bottom
      })
      const found = articles.flatMap((article) => /Message \d+\./.exec(article.textContent) ?? [])
      element.scrollBy(0, element.clientHeight * 0.7)
      return found
    })
    for (const text of view) seen.add(text)
  }
  expect(seen.size).toBe(300)
  await until(async () => (await unreadOf(reader, chat)) === 0, "the end to be marked read")
  const drawn = await texts(page)
  expect(drawn).toEqual([...new Set(drawn)])
  expect(drawn.at(-1)).toBe("Message 300.")
  await page.context().close()
}, 60_000)

test("1,500 unread, opened from the list: the same; a tap goes to the newest, and so does writing", async () => {
  const { writer, reader, chat } = await unread(1_500)
  const page = await pageOf(browser, reader)
  await conversations(page).getByRole("link").first().click()
  await opensAtFirstUnread(page, reader, chat, 1_500)
  await page.getByRole("button", { name: "To the newest message" }).click()
  await until(() => isSeen(page, "Message 1500."), "the newest message")
  await until(async () => (await unreadOf(reader, chat)) === 0, "the end to be marked read")

  await writeMany(writer, chat, 3, 1_501)
  await until(() => isSeen(page, "Message 1503."), "what comes then to be shown")
  const drawn = await texts(page)
  const last = Number(/\d+/.exec(drawn.at(-1) ?? "")?.[0])
  expect(drawn).toEqual(drawn.map((_, i) => `Message ${last - drawn.length + 1 + i}.`))

  // Away again: 250 come while another page is open, and one writes before reading them.
  await until(async () => (await unreadOf(reader, chat)) === 0, "that to be marked read too")
  await page.goto(parley.url)
  await isAlive(page)
  await writeMany(writer, chat, 250, 1_504)
  const link = conversations(page).getByRole("link").first()
  await until(async () => {
    return /250 unread/.test((await link.textContent()) ?? "")
  }, "all 250 to be counted")
  await link.click()
  await page.getByText("250 new messages", { exact: true }).waitFor()
  await page.waitForTimeout(MARKED_MS)
  expect(await unreadOf(reader, chat)).toBe(250)
  await write(page, "An answer before reading")
  await until(() => isSeen(page, "An answer before reading"), "one's own message")
  await page.context().close()
}, 90_000)
