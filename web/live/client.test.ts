import { expect, test } from "bun:test"
import { MessageType, type Client as SocketClient, stringifyMessage } from "graphql-ws"
import { createGraphClient } from "./client.ts"
import { Events } from "./documents.ts"
import { until } from "./testing.ts"

test("a subscription asks where it is once for each socket, and says it", async () => {
  const sent: string[] = []
  let connect = () => {}
  const socket = {
    subscribe(payload: Parameters<SocketClient["subscribe"]>[0]) {
      connect = () =>
        void sent.push(stringifyMessage({ id: "1", type: MessageType.Subscribe, payload }))
      connect()
      return () => {}
    },
  } as unknown as SocketClient
  let asked = 0
  const liveVariables = () => {
    asked += 1
    return { since: `${asked}` }
  }
  const { unsubscribe } = createGraphClient(socket)
    .subscription(Events, {}, { liveVariables })
    .subscribe(() => {})
  await until(() => sent.length === 1)
  connect()
  const payloads = sent.map((message) => JSON.parse(message).payload)
  expect(payloads.map(({ variables }) => variables)).toEqual([{ since: "1" }, { since: "2" }])
  expect(payloads[1].query).toContain("subscription Events")
  unsubscribe()
})
