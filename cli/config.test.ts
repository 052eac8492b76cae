import { describe, expect, test } from "bun:test"
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { ROOT } from "../platform/machine/root.ts"
import { linkSecretIn, openDataDir, readStartConfig } from "./config.ts"

describe("what start reads from the environment", () => {
  test("has a default for everything", () => {
    expect(readStartConfig({ PORT: "" })).toEqual({
      port: 4000,
      host: "0.0.0.0",
      dataDir: join(ROOT, "data"),
      publicUrl: undefined,
      linkSecret: undefined,
      engines: undefined,
    })
  })

  test("takes both engines of a cluster, or neither", () => {
    const MONGODB_URL = "mongodb://alice:secret@db1,db2/parley?replicaSet=rs0"
    const { engines } = readStartConfig({ MONGODB_URL, KAFKA_BROKERS: "k1:9092, k2:9092" })
    expect(engines).toEqual({ mongodbUrl: MONGODB_URL, kafkaBrokers: "k1:9092,k2:9092" })
    expect(() => readStartConfig({ MONGODB_URL })).toThrow(/^MONGODB_URL is set and KAFKA_/)
    expect(() => readStartConfig({ KAFKA_BROKERS: "k1:9092" })).toThrow(/^KAFKA_BROKERS is set and/)
  })

  test("takes a data folder from where the caller is, and an origin without its slash", () => {
    const config = readStartConfig({ DATA_DIR: "here", PUBLIC_URL: "https://chat.example.org/" })
    expect(config.dataDir).toBe(resolve("here"))
    expect(config.publicUrl).toBe("https://chat.example.org")
  })

  test.each([
    ["PORT", "eighty"],
    ["PORT", "65536"],
    ["PUBLIC_URL", "chat.example.org"],
    ["PUBLIC_URL", "ftp://chat.example.org"],
    ["PUBLIC_URL", "https://example.org/chat"],
    ["MONGODB_URL", "http://127.0.0.1"],
    ["KAFKA_BROKERS", "127.0.0.1"],
    ["LINK_SECRET", "short"],
  ])("refuses %s=%s in one sentence", (name, value) => {
    expect(() => readStartConfig({ [name]: value })).toThrow(
      new RegExp(`^${name} cannot be used: [^\\n]+\\.$`),
    )
  })
})

describe("the data folder", () => {
  test("keeps one secret, which no other user can read", () => {
    const folder = mkdtempSync(join(tmpdir(), "parley-data-"))
    try {
      const secret = linkSecretIn(folder)
      expect(secret.length).toBeGreaterThanOrEqual(32)
      expect(linkSecretIn(folder)).toBe(secret)
      const file = join(folder, "link-secret")
      expect(statSync(file).mode & 0o777).toBe(0o600)
      writeFileSync(file, "short")
      expect(linkSecretIn(folder)).not.toBe("short")
      expect(readFileSync(file, "utf8").length).toBeGreaterThanOrEqual(32)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  test("that cannot be made is refused in one sentence", () => {
    expect(() => openDataDir("/dev/null/data")).toThrow(
      /^The data folder \/dev\/null\/data cannot be written to \(\w+\): [^\n]+\.$/,
    )
  })
})
