import { afterAll, beforeAll, expect, test } from "bun:test"
import { until } from "@parley/testing/until.ts"
import type { Browser } from "playwright-core"
import { answerInstead, conversations, openBrowser, pageOf } from "../testing/browser.ts"
import { LIFTED_LIMITS } from "../testing/lifted-limits.ts"
import { type Line, openLine } from "../testing/line.ts"
import { type Parley, startParley } from "../testing/parley.ts"

let parley: Parley
let browser: Browser
let line: Line

beforeAll(async () => {
  parley = await startParley("one embedded node", { environment: LIFTED_LIMITS })
  browser = await openBrowser()
  line = await openLine(parley.url)
}, 90_000)

afterAll(async () => {
  await browser?.close()
  await line?.[Symbol.asyncDispose]()
  await parley?.[Symbol.asyncDispose]()
})

test("pages that bring nothing new to see do not end the list", async () => {
  const stranger = await parley.person("Stranger")
  const reader = await parley.person("Reader")
  for (let made = 0; made < 35; made += 1) await stranger.chatWith(reader, reader)
  const page = await pageOf(browser, reader, { at: "/c/none" })
  let asked = 0
  await answerInstead(page, "MoreConversations", () => {
    asked += 1
    const pageInfo = { hasNextPage: asked < 14, endCursor: `${asked}` }
    return { body: { data: { conversations: { edges: [], pageInfo } } } }
  })
  await page.goto(`${parley.url}/`)
  const more = page.locator('[class*="more"]')
  await conversations(page).getByRole("link").last().scrollIntoViewIfNeeded()
  await more.waitFor({ state: "detached" })
  expect(asked).toBe(14)
  await page.context().close()
}, 60_000)

const GROUPS = 4_100
/** What a subscription's frame may be; the gateway takes 256 KiB. */
const SMALL_FRAME = 8 * 1024

test("a person in 4,100 conversations goes live at once, and comes back with one small frame", async () => {
  const stranger = await parley.person("Stranger")
  const reader = await parley.person("Reader")
  const groups: string[] = []
  const make = async () => {
    while (groups.length < GROUPS) {
      const at = groups.push("") - 1
      groups[at] = await stranger.chatWith(reader, reader)
    }
  }
  await Promise.all(Array.from({ length: 16 }, make))
  // All made within the minute that is allowed for between clocks: they are replayed, and left to the list.
  const frames: number[] = []
  let asked = 0
  const page = await pageOf(browser, reader, { url: line.url })
  page.on("request", (request) => {
    if (request.url().endsWith("/graphql")) asked += 1
  })
  page.on("websocket", (socket) => {
    socket.on("framesent", ({ payload }) => void frames.push(payload.length))
  })
  await page.reload()
  const list = conversations(page).getByRole("link")

  // In a conversation that the page has not loaded, and will not by itself.
  await stranger.deliver(groups[5]!, "Heard at once")
  await list.filter({ hasText: "Heard at once" }).waitFor({ timeout: 10_000 })

  line.set("refuses")
  await page.getByText("Connecting…").waitFor()
  await stranger.deliver(groups[7]!, "Missed, and replayed")
  line.set("passes")
  await list.filter({ hasText: "Missed, and replayed" }).waitFor({ timeout: 10_000 })
  await stranger.deliver(groups[9]!, "Live again")
  await list.filter({ hasText: "Live again" }).waitFor({ timeout: 10_000 })
  expect(Math.max(...frames)).toBeLessThan(SMALL_FRAME)

  // The rest comes as one goes down.
  const before = await list.count()
  await until(async () => {
    await list.last().scrollIntoViewIfNeeded()
    return (await list.count()) >= before + 60
  }, "more of the list")
  expect(asked).toBeLessThan(100)
  await page.context().close()
}, 120_000)
