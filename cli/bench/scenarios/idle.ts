import { rssBytes } from "@parley/testing/processes.ts"
import { type Load, startLoad } from "../load/load.ts"
import { eventsDocument } from "../load/socket.ts"
import { figure } from "../report.ts"
import type { Scenario } from "../scenario.ts"
import { type Installation, startInstallation } from "../system/installation.ts"

const SERVICES = ["gateway", "chat"] as const

/** Sockets of users who all differ, signed in and subscribed, that do nothing: what each of them keeps in memory. */
export const idle: Scenario = async ({ quick, say }) => {
  const count = quick ? 300 : 5_000
  const warmUp = quick ? 20 : 100
  await using parley = await startInstallation()
  await using load = await startLoad()

  say(`warming up with ${warmUp} sockets`)
  await open(load, parley, warmUp)
  await load.run("closeIdle", undefined)
  const before = await settled(parley, quick)
  say(`opening ${count} sockets`)
  const began = performance.now()
  await open(load, parley, count)
  const seconds = (performance.now() - began) / 1_000
  say("waiting until memory no longer moves")
  const after = await settled(parley, quick)

  const perSocket = (index: number) => (after[index]! - before[index]!) / count / 1_000
  const sum = perSocket(0) + perSocket(1)
  return {
    scenario: "idle",
    about: `${count} signed-in sockets with a subscription each, opened in ${seconds.toFixed(1)} s; growth of RSS once it is steady`,
    figures: [
      figure({ name: "RSS, gateway and chat", unit: "kB/socket", value: sum, atMost: 25 }),
      ...SERVICES.flatMap((name, index) => [
        figure({ name: `RSS, ${name}`, unit: "kB/socket", value: perSocket(index) }),
        figure({ name: `RSS, ${name}, before`, unit: "MB", value: before[index]! / 1e6 }),
        figure({ name: `RSS, ${name}, with them`, unit: "MB", value: after[index]! / 1e6 }),
      ]),
    ],
  }
}

const open = (load: Load, { dataDir, publicUrl, url }: Installation, count: number) =>
  load.run("openIdle", { issuer: { dataDir, publicUrl }, url, document: eventsDocument(), count })

/**
 * The RSS of the services once it has moved by less than 1 % for so many seconds: what is garbage goes when the
 * collector's timer comes round, and the allocator gives pages back later still. After a minute, what it is then.
 */
async function settled(parley: Installation, quick: boolean): Promise<number[]> {
  const quietFor = quick ? 1 : 12
  const read = () => SERVICES.map((name) => rssBytes(parley[name].pid))
  let reference = read()
  let quiet = 0
  for (let waited = 0; waited < (quick ? 5 : 90) && quiet < quietFor; waited++) {
    await Bun.sleep(1_000)
    const now = read()
    const isSteady = now.every((bytes, i) => Math.abs(bytes - reference[i]!) < reference[i]! / 100)
    if (isSteady) quiet++
    else {
      quiet = 0
      reference = now
    }
  }
  return read()
}
