import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { until } from "@parley/testing/until.ts"
import { parse, validate } from "graphql"
import { type Browser, chromium, type Page } from "playwright-core"
import { examples } from "../playground/examples.ts"
import { loadGraph } from "../supergraph/supergraph.ts"
import sdl from "../supergraph.graphql" with { type: "text" }
import { messageSent } from "./fake-chat.ts"
import { startWorld, type World } from "./world.ts"

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(() => world[Symbol.asyncDispose]())

const html = { accept: "text/html,application/xhtml+xml" }

test("the examples are valid in the schema that is served", () => {
  const { api } = loadGraph(sdl)
  for (const { query, variables } of examples(Bun.randomUUIDv7)) {
    expect(validate(api, parse(query))).toEqual([])
    if (variables) expect(JSON.parse(variables)).toBeObject()
  }
})

test("the page loads nothing from elsewhere and runs nothing inline", async () => {
  const page = await fetch(`${world.url}/graphql`, { headers: html })
  expect(page.status).toBe(200)
  const policy = page.headers.get("content-security-policy")!
  expect(policy).toContain("default-src 'none'")
  expect(policy).toContain("script-src 'self';")
  expect(policy).not.toContain("unsafe")
  expect(policy).not.toMatch(/https?:/)
  const text = await page.text()
  expect(text).not.toMatch(/https?:/)
  for (const [name, type] of [
    ["playground.js", "text/javascript"],
    ["playground.css", "text/css"],
  ] as const) {
    expect(text).toContain(`/graphql/${name}`)
    const file = await fetch(`${world.url}/graphql/${name}`)
    expect(file.headers.get("content-type")).toStartWith(type)
    expect((await file.bytes()).length).toBeGreaterThan(10_000)
  }
  expect((await fetch(`${world.url}/graphql/..%2fpackage.json`)).status).toBe(404)
  expect((await fetch(`${world.url}/graphql/other.js`)).status).toBe(404)
})

describe("in a browser", () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await chromium.launch({
      executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
      args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
    })
  }, 30_000)
  afterAll(() => browser.close())

  test("one signs in, asks, and sees an event arrive; nothing comes from elsewhere", async () => {
    // The page's socket is let in because the page is of PUBLIC_URL's origin.
    const port = freePort()
    await using own = await startWorld({ port, publicUrl: `http://127.0.0.1:${port}` })
    const context = await browser.newContext({ colorScheme: "dark" })
    const page = await context.newPage()
    const problems: string[] = []
    page.on("console", (message) => {
      if (message.type() === "error") problems.push(message.text())
    })
    page.on("pageerror", (error) => problems.push(String(error)))
    const elsewhere: string[] = []
    page.on("request", (request) => {
      const url = request.url()
      if (!/^(data|blob):/.test(url) && !url.startsWith(own.url)) elsewhere.push(url)
    })
    await page.goto(`${own.url}/graphql`)

    await openTab(page, "Events")
    await press(page)
    await answer(page, "Sign in first")
    await openTab(page, "SignIn")
    await press(page)
    await answer(page, '"username": "alice"')
    await openTab(page, "People")
    await press(page)
    await answer(page, '"username": "bob"')
    await openTab(page, "Events")
    await press(page)
    await until(() => own.chat.subscriptions.size === 1, "the subscription")
    await own.chat.emit(messageSent(1, "Hello, playground"))
    await answer(page, "Hello, playground")

    const background = await page.evaluate("getComputedStyle(document.body).backgroundColor")
    expect(
      String(background)
        .match(/\d+/g)
        ?.map(Number)
        .slice(0, 3)
        .every((part) => part < 128),
    ).toBeTrue()
    if (process.env.SCREENSHOT) await page.screenshot({ path: process.env.SCREENSHOT })
    expect(problems).toEqual([])
    expect(elsewhere).toEqual([])
    await context.close()
  }, 60_000)
})

function freePort(): number {
  const server = Bun.serve({ port: 0, fetch: () => new Response() })
  const { port } = server
  server.stop(true)
  return port!
}

const openTab = (page: Page, name: string) =>
  page.getByRole("tab", { name, exact: true }).click({ timeout: 30_000 })

const press = (page: Page) => page.getByRole("button", { name: /^Execute query/ }).click()

const answer = (page: Page, expected: string) =>
  page.locator(".result-window", { hasText: expected }).waitFor({ timeout: 30_000 })
