import { expect, setDefaultTimeout, test } from "bun:test"
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Kafka, logLevel } from "kafkajs"
import { MongoClient } from "mongodb"
import { openEngines } from "./engines.ts"
import { makeStubs, type Stubs } from "./test/stubs.ts"
import { isRunning } from "./test/until.ts"

/** On a busy machine; in ms. */
setDefaultTimeout(120_000)

const FETCHED_WITHIN = 25 * 60_000

/** Docker as a script that writes down what it is asked. `info` and `up` say whether these succeed. */
function addDocker(stubs: Stubs, { info = 0, up = 0, kafkaPort = "0.0.0.0:20002" } = {}): void {
  stubs.add(
    "docker",
    `echo "$*" >> ${stubs.folder}/asked
case "$*" in
  info) exit ${info} ;;
  *"config --services") echo gateway; echo mongo; echo kafka ;;
  *" up "*) echo "no such image" >&2; exit ${up} ;;
  *"port mongo 27017") echo 127.0.0.1:20001 ;;
  *"port kafka 9094") echo ${kafkaPort} ;;
esac`,
  )
}

const asked = (stubs: Stubs) => {
  const file = join(stubs.folder, "asked")
  return existsSync(file) ? readFileSync(file, "utf8") : ""
}

function composeFileIn(stubs: Stubs): string {
  const file = join(stubs.folder, "compose.yaml")
  writeFileSync(file, "services: {}\n")
  return file
}

/** This machine's commands, but the Docker of these. */
const pathOf = (stubs: Stubs) => `${stubs.path}:${process.env.PATH}`

test("takes what the environment names, and starts nothing", async () => {
  using stubs = makeStubs()
  addDocker(stubs)
  const named = { MONGODB_URL: "mongodb://db.example.org/", KAFKA_BROKERS: "k1:9092,k2:9092" }
  const lines: string[] = []
  const engines = await openEngines({ ...named, PATH: stubs.path }, (line) => lines.push(line), {
    composeFile: composeFileIn(stubs),
  })
  expect(engines.mongodbUrl).toBe(named.MONGODB_URL)
  expect(engines.kafkaBrokers).toBe(named.KAFKA_BROKERS)
  await engines.stop()
  expect(lines).toEqual([])
  expect(asked(stubs)).toBe("")
})

test("takes the services of compose.yaml where Docker runs, and takes them down again", async () => {
  using stubs = makeStubs()
  addDocker(stubs)
  const engines = await openEngines({ PATH: stubs.path }, () => {}, {
    composeFile: composeFileIn(stubs),
  })
  expect(engines.mongodbUrl).toBe("mongodb://127.0.0.1:20001/?directConnection=true")
  expect(engines.kafkaBrokers).toBe("127.0.0.1:20002")
  expect(asked(stubs)).toContain("up --detach --wait mongo kafka\n")
  expect(asked(stubs)).not.toContain("down")
  await engines.stop()
  expect(asked(stubs)).toContain("down --timeout 5 --volumes\n")
})

test("keeps what belongs to one data folder apart from what belongs to another", async () => {
  using stubs = makeStubs()
  addDocker(stubs)
  const composeFile = composeFileIn(stubs)
  for (const dataDir of ["/alice", "/bob", "/alice"]) {
    const options = { composeFile, dataDir }
    await (await openEngines({ PATH: stubs.path }, () => {}, options)).stop()
  }
  const projects = [...asked(stubs).matchAll(/--project-name (\S+) up /g)].map(([, name]) => name)
  expect(projects).toHaveLength(3)
  expect(projects[2]).toBe(projects[0])
  expect(projects[1]).not.toBe(projects[0])
  expect(asked(stubs)).toContain("down --timeout 5\n")
})

test("asks Docker only for what the environment does not name", async () => {
  using stubs = makeStubs()
  addDocker(stubs)
  await using engines = await openEngines(
    { PATH: stubs.path, MONGODB_URL: "mongodb://db.example.org/" },
    () => {},
    { composeFile: composeFileIn(stubs) },
  )
  expect(engines.mongodbUrl).toBe("mongodb://db.example.org/")
  expect(engines.kafkaBrokers).toBe("127.0.0.1:20002")
  expect(asked(stubs)).toContain("up --detach --wait kafka\n")
})

test(
  "leaves compose aside where it does not start the services, and says why",
  async () => {
    using stubs = makeStubs()
    addDocker(stubs, { up: 1 })
    const lines: string[] = []
    const named = { MONGODB_URL: "mongodb://db.example.org/" }
    await using engines = await openEngines(
      { ...process.env, KAFKA_BROKERS: undefined, ...named, PATH: pathOf(stubs) },
      (line) => lines.push(line),
      { composeFile: composeFileIn(stubs) },
    )
    expect(lines).toContain("docker compose is left aside: no such image")
    expect(asked(stubs)).toContain("down --timeout 5 --volumes\n")
    expect(engines.kafka?.brokers).toBe(engines.kafkaBrokers)
  },
  FETCHED_WITHIN,
)

test(
  "starts both where there is neither, and leaves nothing behind",
  async () => {
    using stubs = makeStubs()
    addDocker(stubs, { info: 1 })
    const dataDir = join(stubs.folder, "data")
    mkdirSync(dataDir)
    const engines = await openEngines(
      { ...process.env, MONGODB_URL: "", KAFKA_BROKERS: "", PATH: pathOf(stubs) },
      (line) => process.stderr.write(`• ${line}\n`),
      { composeFile: composeFileIn(stubs), dataDir },
    )
    expect(asked(stubs)).toBe("info\n")
    const client = new MongoClient(engines.mongodbUrl)
    await client.db("parley").collection("users").insertOne({ name: "alice" })
    await client.close()
    const admin = new Kafka({
      brokers: engines.kafkaBrokers.split(","),
      logLevel: logLevel.NOTHING,
    }).admin()
    await admin.connect()
    expect((await admin.describeCluster()).brokers).toHaveLength(1)
    await admin.disconnect()

    const pids = [engines.mongo?.pid ?? 0, ...(engines.kafka?.pids ?? [])]
    expect(pids.map(isRunning)).toEqual([true, true])
    await engines.stop()
    expect(pids.map(isRunning)).toEqual([false, false])
    for (const file of ["mongo/mongo.mv.db", "kafka/1/data/meta.properties"]) {
      expect(existsSync(join(dataDir, file))).toBe(true)
    }
  },
  FETCHED_WITHIN,
)
