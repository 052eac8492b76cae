import { startLoad } from "../load/load.ts"
import type { Comeback } from "../load/resuming.ts"
import { sendMessage, signUp, startDirect } from "../people.ts"
import { figure } from "../report.ts"
import type { Scenario } from "../scenario.ts"
import { percentile } from "../stats.ts"
import { startCluster } from "../system/cluster.ts"

const RETRYABLE = /^(close (1001|1006|1012|1013)|error (UNAVAILABLE|RATE_LIMITED))$/

/** Thousands of sockets at one of two gateways, which is killed: all of them come to the other one at once. */
export const comeback: Scenario = async ({ quick, say }) => {
  const people = quick ? 20 : 125
  const socketsEach = quick ? 10 : 40
  const count = people * socketsEach
  await using cluster = await startCluster({ chats: 3, gateways: 2 }, say)
  await using load = await startLoad()
  const [first, second] = cluster.urls as [string, string]

  say(`signing up ${people} people`)
  const persons = await signUp(first, people)
  const conversations = await Promise.all(
    persons.map(({ token, id }) => startDirect(first, token, id)),
  )
  const tellAll = (text: string) =>
    Promise.all(
      persons.map(({ token }, index) => sendMessage(second, token, conversations[index]!, text)),
    )
  say(`opening ${count} sockets`)
  const spread = <T>(of: readonly T[]) => of.flatMap((one) => new Array<T>(socketsEach).fill(one))
  await load.run("openFleet", {
    urls: [first, second],
    tokens: spread(persons.map(({ token }) => token)),
    conversations: spread(conversations),
  })
  await tellAll("everyone hears this")
  say("killing their gateway")
  process.kill(cluster.gateways[0]!.pid, "SIGKILL")
  const coming = load.run("comeback", undefined)
  await tellAll("and this, on their way back")
  const { recovered, met, reloaded, wrong }: Comeback = await coming

  const unexpected = Object.entries(met).filter(([what]) => !RETRYABLE.test(what))
  for (const [what, times] of Object.entries(met)) say(`${what}: ${times}`)
  return {
    scenario: "comeback",
    about: `${count} sockets of ${people} people at one gateway of two, which is killed; each is back once it has what it missed`,
    figures: [
      figure({ name: "half are back", unit: "s", value: percentile(recovered, 0.5) / 1_000 }),
      figure({
        name: "all are back",
        unit: "s",
        value: Math.max(...recovered) / 1_000,
        atMost: 30,
      }),
      figure({
        name: "errors that do not say: try again",
        unit: "",
        value: unexpected.reduce((sum, [, times]) => sum + times, 0),
        atMost: 0,
      }),
      figure({ name: "had to reload", unit: "", value: reloaded, atMost: 0 }),
      figure({ name: "events lost, doubled or out of order", unit: "", value: wrong, atMost: 0 }),
    ],
  }
}
