import { expect, test } from "bun:test"
import { until } from "@parley/testing/until.ts"
import { keepFresh } from "./keep-fresh.ts"

test("the session is renewed before its access token runs out, by one of the tabs, until it ends", async () => {
  const browser = { renewedAt: 0, now: 1_000_000, renewals: 0, looks: 0 }
  const tab = () =>
    keepFresh({
      every: 2,
      now: () => browser.now,
      renewedAt: () => {
        browser.looks += 1
        return browser.renewedAt
      },
      async renew() {
        browser.renewals += 1
        browser.renewedAt = browser.now
        return "renewed"
      },
    })
  const looked = async () => {
    const before = browser.looks
    await until(() => browser.looks >= before + 4, "each tab to look")
  }
  const ends = [tab(), tab()]
  await looked()
  expect(browser.renewals).toBe(1)
  browser.now += 6 * 60_000
  await looked()
  expect(browser.renewals).toBe(1)
  browser.now += 60_000
  await looked()
  expect(browser.renewals).toBe(2)
  for (const end of ends) end()
  const { looks } = browser
  browser.now += 60 * 60_000
  const since = performance.now()
  await until(() => performance.now() - since > 20, "some turns")
  expect(browser.looks).toBe(looks)
})
