import { join } from "node:path"
import { bothOrNone } from "@parley/platform/both-or-none.ts"
import type { Environment } from "@parley/platform/config.ts"
import { inRoot } from "@parley/platform/machine/root.ts"
import { type Service, startComposed } from "./compose.ts"
import { openInstallation } from "./fetch.ts"
import { type Kafka, startKafka } from "./kafka.ts"
import type { Keeping } from "./keep.ts"
import { type Mongo, startMongo } from "./mongo.ts"
import type { Report } from "./report.ts"

/** What the services need to run as a cluster, wherever it comes from. */
export interface Engines extends AsyncDisposable {
  /** What MONGODB_URL is to be. */
  mongodbUrl: string
  /** What KAFKA_BROKERS is to be. */
  kafkaBrokers: string
  /** Where this project started them itself, and so may kill and freeze them. */
  mongo?: Mongo
  kafka?: Kafka
  /** Ends what was started for this, and nothing else. */
  stop(): Promise<void>
}

export interface EnginesOptions {
  /** Where engines that are started here keep their data for the next time. Unset: it goes with them. */
  dataDir?: string
  /** How many Kafka brokers, where they are started here: 1 or 3. */
  brokers?: number
  composeFile?: string
  /** Engines that are started here are started again whenever they end by themselves. */
  keep?: Keeping
}

/**
 * Opens a MongoDB and a Kafka, each the first that there is: what `MONGODB_URL` and `KAFKA_BROKERS` name, taken as it
 * is; the services `mongo` and `kafka` of compose.yaml, where Docker runs; real engines on a Java runtime.
 * @throws Error in one sentence that says what to install, where there is none of them
 */
export async function openEngines(
  environment: Environment,
  report: Report,
  options: EnginesOptions = {},
): Promise<Engines> {
  const { dataDir, brokers, keep, composeFile = inRoot("compose.yaml") } = options
  const named = { mongo: environment.MONGODB_URL, kafka: environment.KAFKA_BROKERS }
  const services = (["mongo", "kafka"] satisfies Service[]).filter((service) => !named[service])
  const composed =
    services.length > 0
      ? await startComposed(
          {
            ...{ file: composeFile, services, keepData: dataDir !== undefined },
            // Who comes back to the same data comes back to the same volumes.
            project: `parley-engines-${dataDir ? Bun.hash(dataDir).toString(36) : process.pid}`,
          },
          environment,
          report,
        )
      : undefined
  const composedMongo = composed?.addresses.get("mongo")
  const own = composed ? [] : services
  // Both need it, and the first time it takes long.
  if (own.length > 0) await openInstallation(environment, report)

  const folder = (service: Service) => dataDir && join(dataDir, service)
  const [mongo, kafka] = await bothOrNone(
    own.includes("mongo")
      ? startMongo({ dataDir: folder("mongo"), environment, report, keep })
      : undefined,
    own.includes("kafka")
      ? startKafka({ dataDir: folder("kafka"), brokers, environment, report, keep })
      : undefined,
  )
  const stop = async () => {
    await Promise.all([composed?.stop(), mongo?.stop(), kafka?.stop()])
  }
  return {
    // A member of a replica set in a container calls itself by a name that means nothing here.
    mongodbUrl: named.mongo || mongo?.url || `mongodb://${composedMongo}/?directConnection=true`,
    kafkaBrokers: named.kafka || kafka?.brokers || composed?.addresses.get("kafka") || "",
    mongo,
    kafka,
    stop,
    [Symbol.asyncDispose]: stop,
  }
}
