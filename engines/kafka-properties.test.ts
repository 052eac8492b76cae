import { expect, test } from "bun:test"
import { brokerProperties } from "./kafka-properties.ts"

const broker = { id: 1, port: 9092, controllerPorts: [9093], dataDir: "/data" }

test("clients are told to come to the broker's own port, or to the one that is named", () => {
  expect(brokerProperties(broker)).toContain("\nadvertised.listeners=PLAINTEXT://127.0.0.1:9092\n")
  const proxied = brokerProperties({ ...broker, advertisedPort: 9999 })
  expect(proxied).toContain("\nadvertised.listeners=PLAINTEXT://127.0.0.1:9999\n")
  expect(proxied).toContain("\nlisteners=PLAINTEXT://127.0.0.1:9092,")
})
