import { chromium } from "playwright-core"
import { findChromium } from "../platform/machine/chromium.ts"
import { startParley } from "../testing/parley.ts"
import type { Person } from "../testing/person.ts"

/** Takes the pictures of README.md from the running app: `bun docs/picture.ts [folder]`. */
const folder = process.argv[2] ?? import.meta.dir

await using parley = await startParley()
const mia = await parley.person("Mia Keller")
const jonas = await parley.person("Jonas Berg")
const ada = await parley.person("Ada Okafor")
const sam = await parley.person("Sam Torres")

async function talk(conversation: string, lines: [Person, string][]) {
  for (const [person, text] of lines) await person.deliver(conversation, text)
}

const group = await mia.chatWith(jonas, ada, sam)
await talk(group, [
  [jonas, "Trail map for Saturday is in the shared folder."],
  [sam, "I can take three people in the car"],
])
await talk(await mia.chatWith(sam), [[sam, "Are you bringing the big tent?"]])
await talk(await mia.chatWith(ada), [
  [ada, "The train leaves at 8:12, platform 4."],
  [mia, "Perfect, I will bring coffee ☕"],
])
const main = await mia.chatWith(jonas)
await talk(main, [
  [jonas, "Did the new build go out?"],
  [mia, "An hour ago. Not one message lost while the node restarted."],
  [jonas, "You killed it on purpose?"],
  [mia, "Of course. Everyone caught up by themselves in under a second."],
  [jonas, "Nice. Then dinner is on me tonight 🍜"],
  [mia, "Deal. Seven at the noodle place?"],
])
await jonas.get("mutation($c: ID!) { markRead(conversation: $c, seq: 7) { read } }", { c: main })

const browser = await chromium.launch({
  executablePath: findChromium(),
  args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
})

async function shoot(name: string, colorScheme: "light" | "dark", width: number, height: number) {
  const context = await browser.newContext({ colorScheme, viewport: { width, height } })
  await context.addCookies(
    [...mia.cookies].map(([name, value]) => ({ name, value, url: parley.url })),
  )
  const page = await context.newPage()
  await page.goto(`${parley.url}/c/${main}`)
  await page.getByRole("article").filter({ hasText: "noodle place" }).waitFor()
  await page.getByRole("img", { name: "Read" }).first().waitFor()
  await page.screenshot({ path: `${folder}/${name}.png` })
  await context.close()
}

await shoot("parley-light", "light", 1120, 660)
await shoot("parley-dark", "dark", 1120, 660)
await browser.close()
