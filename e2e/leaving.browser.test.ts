import { afterAll, beforeAll, expect, test } from "bun:test"
import { until } from "@parley/testing/until.ts"
import type { Browser, BrowserContext, Page } from "playwright-core"
import {
  answerInstead,
  composer,
  conversations,
  isAlive,
  message,
  openBrowser,
  pageOf,
  unavailable,
  write,
} from "../testing/browser.ts"
import { type Parley, startParley } from "../testing/parley.ts"
import type { Person } from "../testing/person.ts"

let parley: Parley
let browser: Browser
let alice: Person
let bob: Person
let chat: string
/** Whose sessions are ended. */
let carol: Person
let carolsChat: string

beforeAll(async () => {
  parley = await startParley()
  browser = await openBrowser()
  alice = await parley.person("Alice")
  bob = await parley.person("Bob")
  chat = await alice.chatWith(bob)
  await bob.deliver(chat, "Hello")
  carol = await parley.person("Carol")
  carolsChat = await carol.chatWith(bob)
}, 90_000)

afterAll(async () => {
  await browser?.close()
  await parley?.[Symbol.asyncDispose]()
})

/** What the browser keeps for this site, by name. */
const kept = (page: Page) =>
  page.evaluate(async () => [
    ...Object.keys(localStorage),
    ...(await indexedDB.databases()).flatMap(({ name }) => name ?? []),
  ])

const KEPT = "A text that is kept while auth is away"

/**
 * A page with a message that the server does not take. Its text is the page's own: a page that closes may let a last
 * attempt through, which then is in the conversation of the tests that follow.
 */
async function withUnsent(person: Person, text = "A secret that was never sent"): Promise<Page> {
  const page = await pageOf(browser, person, { at: `/c/${carolsChat}` })
  await answerInstead(page, "SendMessage", () => unavailable("sendMessage"))
  await write(page, text)
  await message(page, text).last().getByRole("img", { name: "Sending" }).waitFor()
  await until(async () => (await kept(page)).includes(`parley-${person.id}`), "it to be on disk")
  return page
}

const revokeOthers = async (device: Person) => {
  const { sessions } = await device.get<{ sessions: { id: string; current: boolean }[] }>(
    "{ sessions { id current } }",
  )
  for (const { id, current } of sessions) {
    if (!current) await device.get("mutation($id: ID!) { revokeSession(id: $id) }", { id })
  }
}

const reason = (page: Page) => page.getByText("You were signed out on this device")

test("a session that is ended from elsewhere leaves nothing on the device, and the page says why", async () => {
  const person = await carol.onAnotherDevice()
  const page = await withUnsent(person)
  await revokeOthers(await carol.onAnotherDevice())
  await reason(page).waitFor()
  expect(await kept(page)).toEqual([])
  expect(new URL(page.url()).searchParams.get("next")).toBe(`/c/${carolsChat}`)
  await page.context().close()
}, 60_000)

test("so does one that is ended while no page is open", async () => {
  const person = await carol.onAnotherDevice()
  const page = await withUnsent(person)
  const context = page.context()
  await page.close()
  await revokeOthers(await carol.onAnotherDevice())
  const later = await context.newPage()
  await until(async () => {
    await later.goto(parley.url)
    return new URL(later.url()).pathname === "/sign-in"
  }, "the session to be over")
  await reason(later).waitFor()
  await until(async () => (await kept(later)).length === 0, "the disk to be empty")
  await context.close()
}, 60_000)

test("signing out leaves nothing either, says nothing, and takes the other tabs along", async () => {
  const person = await carol.onAnotherDevice()
  const page = await withUnsent(person)
  const other = await page.context().newPage()
  await other.goto(parley.url)
  await conversations(other).getByRole("link").first().waitFor()
  await page.getByRole("button", { name: "Account" }).click()
  await page.getByRole("button", { name: "Sign out" }).click()
  for (const tab of [page, other]) {
    await tab.getByRole("button", { name: "Sign in" }).waitFor()
    expect(await reason(tab).count()).toBe(0)
  }
  await until(async () => (await kept(page)).length === 0, "the disk to be empty")
  await page.context().close()
}, 60_000)

test("a gateway that cannot say who is signed in costs nobody the text that was not sent", async () => {
  const person = await carol.onAnotherDevice()
  const page = await withUnsent(person, KEPT)
  const before = (await kept(page)).sort()
  // The access token is gone, and the session cannot be renewed just now.
  const context = page.context()
  await context.clearCookies({ name: "parley_access" })
  await page.route("**/graphql", (route) => route.abort())
  process.kill(parley.pidsOf("auth")[0]!, "SIGSTOP")
  try {
    await page.goto(`${parley.url}/sign-in?next=/c/${carolsChat}`)
    await page.waitForTimeout(500)
    expect((await kept(page)).filter((name) => name !== "parley.renewedAt").sort()).toEqual(
      before.filter((name) => name !== "parley.renewedAt"),
    )
    expect(await reason(page).count()).toBe(0)
  } finally {
    process.kill(parley.pidsOf("auth")[0]!, "SIGCONT")
  }
  await page.unroute("**/graphql")
  // Now it can, and the visitor who need not sign in is sent on.
  await until(async () => {
    await page.goto(`${parley.url}/sign-in?next=/c/${carolsChat}`)
    await page.waitForTimeout(200)
    return new URL(page.url()).pathname === `/c/${carolsChat}`
  }, "the session to go on")
  await message(page, KEPT).waitFor()
  await context.close()
}, 60_000)

test("another site that sends the visitor here without their cookies costs them no text", async () => {
  const person = await carol.onAnotherDevice()
  const page = await withUnsent(person, KEPT)
  const cookies = await page.context().cookies()
  await page.context().addCookies(cookies.map((cookie) => ({ ...cookie, sameSite: "Lax" })))
  const elsewhere = Bun.serve({
    port: 0,
    fetch: () =>
      new Response(
        `<form method="post" action="${parley.url}/sign-in"></form><script>document.forms[0].submit()</script>`,
        { headers: { "content-type": "text/html" } },
      ),
  })
  // The browser leaves Lax cookies out of a POST that comes from another site.
  await page.goto(`http://127.0.0.1:${elsewhere.port}/`)
  // The session goes on.
  await conversations(page).waitFor()
  expect(await kept(page)).toContain(`parley-${person.id}`)
  await page.goto(`${parley.url}/c/${carolsChat}`)
  await message(page, KEPT).last().waitFor()
  await page.context().close()
  await elsewhere.stop(true)
}, 60_000)

async function signIn(page: Page, username: string): Promise<void> {
  await page.getByRole("textbox", { name: "Username" }).fill(username)
  await page.getByLabel("Password").fill("correct horse battery staple")
  await page.getByRole("button", { name: "Sign in" }).click()
}

test("signing in goes on to the page that was asked for", async () => {
  const context = await browser.newContext()
  const page = await context.newPage()
  await page.goto(`${parley.url}/c/${chat}`)
  await page.getByRole("button", { name: "Sign in" }).waitFor()
  const other = page.getByRole("link", { name: "Create an account" })
  expect(await other.getAttribute("href")).toBe(`/sign-up?next=${encodeURIComponent(`/c/${chat}`)}`)
  await signIn(page, alice.username)
  await page.getByRole("region", { name: "Conversation with Bob" }).waitFor()
  expect(new URL(page.url()).pathname).toBe(`/c/${chat}`)
  await context.close()
}, 60_000)

test("who signs in beside another person's page takes it over, and sends nothing that the other one wrote", async () => {
  const context = await browser.newContext()
  const [mine, theirs] = [await context.newPage(), await context.newPage()]
  for (const page of [mine, theirs]) await page.goto(`${parley.url}/sign-in?next=/c/${carolsChat}`)
  // Once its script runs a page opens its socket; before, what one types is not heard.
  const first = mine.waitForEvent("websocket")
  await signIn(mine, carol.username)
  await first
  let away = true
  await answerInstead(mine, "SendMessage", () => (away ? unavailable("sendMessage") : undefined))
  await write(mine, "Carol's own words")
  await until(async () => (await kept(mine)).includes(`parley-${carol.id}`), "it to be on disk")

  const second = theirs.waitForEvent("websocket")
  await signIn(theirs, bob.username)
  await second
  away = false
  await write(theirs, "Bob's own words")
  await conversations(mine).getByRole("link", { name: /Carol/ }).click()
  await message(mine, "Bob's own words").waitFor()
  for (const page of [mine, theirs])
    expect(await message(page, "Carol's own words").count()).toBe(0)
  await until(
    async () => !(await kept(mine)).some((name) => name.includes(carol.id)),
    "what Carol left to be gone",
  )
  await context.close()
}, 60_000)

test("signing in never goes to another site", async () => {
  const context = await browser.newContext()
  const page = await context.newPage()
  await page.goto(`${parley.url}/sign-in?next=${encodeURIComponent("/\\evil.example/x")}`)
  await signIn(page, alice.username)
  await conversations(page).waitFor()
  expect(page.url()).toBe(`${parley.url}/`)
  // Signed in already: the server is the one that sends on.
  for (const next of [
    "//evil.example",
    "javascript:alert(1)",
    "/%09/evil.example",
    "/\t/evil.example",
  ]) {
    await page.goto(`${parley.url}/sign-in?next=${encodeURIComponent(next)}`)
    expect(new URL(page.url()).origin).toBe(parley.url)
  }
  await context.close()
}, 60_000)

test("Enter while looking for people makes no group", async () => {
  const page = await pageOf(browser, alice)
  await page.getByRole("button", { name: "New chat" }).click()
  await page.getByRole("button", { name: "New group" }).click()
  await page.getByRole("textbox", { name: "Group name" }).fill("Too early")
  const search = page.getByRole("searchbox", { name: "Search people" })
  await search.fill(bob.username)
  await page.getByRole("list", { name: "People" }).getByRole("button").first().click()
  await search.press("Enter")
  await page.waitForTimeout(300)
  await page.getByRole("dialog", { name: "New group" }).waitFor()
  expect(await conversations(page).getByText("Too early").count()).toBe(0)
  await page.getByRole("button", { name: "Create group" }).click()
  await page.getByRole("region", { name: "Conversation with Too early" }).waitFor()
  await page.context().close()
}, 60_000)

test("a selection that is dragged out of a dialog does not close it; a click beside it does", async () => {
  const page = await pageOf(browser, alice)
  await page.getByRole("button", { name: "New chat" }).click()
  const search = page.getByRole("searchbox", { name: "Search people" })
  await search.fill("somebody with a long name")
  const box = (await search.boundingBox())!
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2)
  await page.mouse.down()
  await page.mouse.move(5, box.y + 5, { steps: 5 })
  await page.mouse.up()
  expect(await search.inputValue()).toBe("somebody with a long name")
  await page.mouse.click(5, 5)
  await page.getByRole("dialog").waitFor({ state: "detached" })
  await page.context().close()
}, 60_000)

/** The processes in which the pages of this browser run. */
async function renderers(): Promise<number[]> {
  const session = await browser.newBrowserCDPSession()
  const { processInfo } = await session.send("SystemInfo.getProcessInfo")
  await session.detach()
  return processInfo.flatMap(({ type, id }) => (type === "renderer" ? [id] : []))
}

async function killTab(context: BrowserContext, afterMs: number, text: string): Promise<void> {
  const page = context.pages()[0]!
  const pids = await renderers()
  const crashed = new Promise((resolve) => page.on("crash", resolve))
  await composer(page).fill(text)
  await page.keyboard.press("Enter")
  if (afterMs > 0) await Bun.sleep(afterMs)
  for (const pid of pids) process.kill(pid, "SIGKILL")
  await crashed
  await page.close()
  // A page that is opened before Chromium has missed a spare process of its own would wait for that one for ever.
  await until(
    async () => (await renderers()).every((pid) => !pids.includes(pid)),
    "the browser to know that its processes are gone",
  )
}

test("a tab that is killed right after Enter loses no message: the next one sends it, once", async () => {
  const page = await pageOf(browser, alice, { at: `/c/${chat}` })
  const context = page.context()
  const texts: string[] = []
  for (const afterMs of [0, 0, 10, 0, 25, 50, 0, 100]) {
    const text = `Killed after ${afterMs} ms, number ${texts.length}.`
    texts.push(text)
    await killTab(context, afterMs, text)
    const next = await context.newPage()
    await next.goto(`${parley.url}/c/${chat}`)
    await message(next, text)
      .getByRole("img", { name: /Sent|Delivered|Read/ })
      .waitFor()
  }
  const { conversation } = await bob.get<{
    conversation: { messages: { edges: { node: { text: string } }[] } }
  }>(
    "query($chat: ID!) { conversation(id: $chat) { messages(last: 50) { edges { node { text } } } } }",
    {
      chat,
    },
  )
  const stored = conversation.messages.edges.map(({ node }) => node.text)
  expect(stored.filter((text) => text.startsWith("Killed"))).toEqual(texts)
  await context.close()
}, 90_000)

test("several messages of a killed tab are sent by two that open at once: in order, each once", async () => {
  const page = await pageOf(browser, alice, { at: `/c/${chat}` })
  const context = page.context()
  await context.route("**/graphql", (route) =>
    (route.request().postData() ?? "").includes("SendMessage") ? route.abort() : route.fallback(),
  )
  const texts = ["First", "Second", "Third"].map((word) => `${word} before the kill.`)
  for (const text of texts.slice(0, 2)) await write(page, text)
  await killTab(context, 0, texts[2]!)
  await context.unroute("**/graphql")
  const sent: string[] = []
  context.on("request", (request) => {
    const body = request.postData() ?? ""
    const id = body.includes("SendMessage") && /"id":"([^"]+)"/.exec(body)?.[1]
    if (id) sent.push(id)
  })
  const tabs = await Promise.all([context.newPage(), context.newPage()])
  await Promise.all(tabs.map((tab) => tab.goto(`${parley.url}/c/${chat}`)))
  for (const tab of tabs) {
    await until(async () => {
      const shown = await tab.getByRole("article").allInnerTexts()
      const words = shown.flatMap((text) => /(\w+) before the kill/.exec(text)?.[1] ?? [])
      const ticks = await message(tab, "before the kill")
        .getByRole("img", { name: /Sent|Delivered|Read/ })
        .count()
      return words.join() === "First,Second,Third" && ticks === 3
    }, "all three, in order, in both tabs")
  }
  expect(sent.length).toBe(3)
  expect(new Set(sent).size).toBe(3)
  await context.close()
}, 60_000)

test("what is begun is there after a reload, for each conversation, and leaves with its person", async () => {
  const page = await pageOf(browser, await alice.onAnotherDevice(), { at: `/c/${chat}` })
  await composer(page).fill("Dear Bob, I have")
  await page.reload()
  await until(
    async () => (await composer(page).inputValue()) === "Dear Bob, I have",
    "the text that was begun",
  )
  await isAlive(page)
  await composer(page).fill("Never mind")
  await page.keyboard.press("Enter")
  await message(page, "Never mind").waitFor()
  await page.reload()
  await isAlive(page)
  expect(await composer(page).inputValue()).toBe("")
  await composer(page).fill("A secret")
  expect((await kept(page)).some((name) => name.startsWith("parley.draft."))).toBe(true)
  await page.getByRole("button", { name: "Account" }).click()
  await page.getByRole("button", { name: "Sign out" }).click()
  await page.getByRole("button", { name: "Sign in" }).waitFor()
  await until(async () => (await kept(page)).length === 0, "the disk to be empty")
  await page.context().close()
}, 60_000)
