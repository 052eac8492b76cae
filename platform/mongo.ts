import {
  type Collection,
  type Document,
  type IndexDescription,
  MongoAPIError,
  MongoBulkWriteError,
  MongoClient,
  MongoClientClosedError,
  type MongoClientOptions,
  MongoError,
  MongoNetworkError,
  MongoNetworkTimeoutError,
  MongoNotConnectedError,
  MongoServerError,
  MongoServerSelectionError,
  MongoTopologyClosedError,
} from "mongodb"
import { ConfigError } from "./config.ts"
import { unavailable } from "./errors.ts"
import type { Logger } from "./log.ts"

export interface MongoOptions {
  /** Its path names the database; without one that is `parley`. Its query may set what PATIENCE does. */
  url: string
  /** Whose data it is: each service has a version of its own. */
  name: string
  /** Of the documents' shapes and the indexes. A database that a newer version has used is refused. */
  version: number
  /** The collections, with their indexes beside `_id`. */
  indexes: Record<string, IndexDescription[]>
  /** How many connections at most, each with one step under way; 50 where nothing is said. */
  connections?: number
  log: Logger
}

/** One service's connection to its MongoDB, which may be away at any time, also at the start. */
export interface Mongo extends AsyncDisposable {
  collection<T extends Document>(name: string): Collection<T>

  /**
   * Runs one step on the collections. What the driver says of a server that does not or cannot answer is thrown as
   * UNAVAILABLE: whether a write in that step has happened, or yet will, is unknown. UNAVAILABLE, too, and not begun, is
   * a step before the indexes are there, after the end, or on top of very many others.
   */
  run<T>(step: () => Promise<T>): Promise<T>

  /** Resolves where the server answers; rejects within 2 s, with the reason in a sentence, where it does not. */
  ping(): Promise<void>

  /** Resolves once every step begun before has been answered, or after 3 s: a server that hangs does not keep the process from stopping. */
  settle(): Promise<void>
}

/** Nothing waits for ever; in ms. */
const PATIENCE = {
  connectTimeoutMS: 2_000,
  serverSelectionTimeoutMS: 2_000,
  waitQueueTimeoutMS: 2_000,
  socketTimeoutMS: 5_000,
  /** So often is looked whether servers hang, and whether those that were away are back. */
  heartbeatFrequencyMS: 2_000,
  maxPoolSize: 50,
} satisfies MongoClientOptions

/** What an acknowledgement means. No URL weakens it. */
const PROMISES = {
  writeConcern: { w: "majority", journal: true, wtimeoutMS: 4_000 },
  readConcern: { level: "majority" },
  readPreference: "primary",
} satisfies MongoClientOptions

/** How long a start waits to hear what is wrong, in ms: a little longer than the driver takes to give up. */
const FIRST_CONTACT = 2_500
/** Between two attempts to get ready, in ms. */
const AGAIN_AFTER = 500
const PING_WITHIN = 2_000
const SETTLE_WITHIN = 3_000
/** More steps than this under way mean that the server has stopped, not that it is busy. */
const MAX_UNDER_WAY = 20_000

/**
 * Opens a database and creates what indexes it lacks, whichever process is first. A server that is away is no error: it
 * is tried again in the background until it is there.
 * @throws ConfigError where the URL, the credentials or the certificate cannot be used or a newer version has used the
 * database, as far as that shows within 3 s; `ping` says what shows later.
 */
export async function openMongo(options: MongoOptions): Promise<Mongo> {
  const { name, version, indexes, log } = options
  const client = createClient(options)
  const where = hostsOf(client)
  const db = client.db(databaseOf(options.url))
  const underWay = new Set<Promise<unknown>>()
  let isReady = false
  let isClosed = false
  /** Why nothing works; undefined while all is well. */
  let trouble: string | undefined

  /** Prepares the database. Idempotent, by any number of processes at once. */
  async function prepare(): Promise<void> {
    // After an attempt that failed the driver connects only where it is told to.
    await client.connect()
    const versions = db.collection<{ _id: string; version: number }>("versions")
    const used = await versions.findOne({ _id: name })
    if (used && used.version > version) {
      throw new ConfigError(
        `The MongoDB at ${where} was used by a newer Parley (version ${used.version} of ${name}; this one knows ${version}): start that one.`,
      )
    }
    for (const [collection, wanted] of Object.entries(indexes)) {
      if (wanted.length > 0) await db.collection(collection).createIndexes(wanted)
    }
    await versions.updateOne({ _id: name }, { $max: { version } }, { upsert: true })
    isReady = true
    noteWell()
  }

  async function prepareUntilDone(): Promise<void> {
    while (!isReady && !isClosed) {
      await Bun.sleep(AGAIN_AFTER)
      if (!isClosed) await prepare().catch(noteTrouble)
    }
  }

  function noteTrouble(error: unknown): void {
    const reason = reasonOf(error, where)
    if (reason !== trouble && !isClosed) log.warn("mongodb cannot be used", { reason })
    trouble = reason
  }

  function noteWell(): void {
    if (trouble !== undefined) log.info("mongodb is back", { hosts: where })
    trouble = undefined
  }

  async function run<T>(step: () => Promise<T>): Promise<T> {
    if (isClosed) throw unavailable("The store is closed.")
    if (!isReady) throw unavailable("The store cannot be reached just now.")
    if (underWay.size >= MAX_UNDER_WAY) throw unavailable("The store has too much to do just now.")
    const running = step()
    underWay.add(running)
    try {
      const result = await running
      noteWell()
      return result
    } catch (error) {
      if (!isOutage(error)) throw error
      noteTrouble(error)
      throw unavailable("The store does not answer just now.", error)
    } finally {
      underWay.delete(running)
    }
  }

  async function settle(): Promise<void> {
    await Promise.race([Promise.allSettled(underWay), Bun.sleep(SETTLE_WITHIN)])
    // The caller of a step hears of its end before the caller of settle.
    await new Promise(setImmediate)
  }

  const mongo: Mongo = {
    collection: (name) => db.collection(name),
    run,
    async ping() {
      const answer = run(() => db.command({ ping: 1 }))
      const silence = Bun.sleep(PING_WITHIN).then(() => {
        throw unavailable(`The MongoDB at ${where} does not answer.`)
      })
      try {
        await Promise.race([answer, silence])
      } catch (error) {
        throw trouble === undefined ? error : unavailable(trouble, error)
      }
    },
    settle,
    async [Symbol.asyncDispose]() {
      isClosed = true
      await settle()
      await client.close()
    },
  }

  const first = prepare().catch((error) => {
    noteTrouble(error)
    return error
  })
  const refusal = await Promise.race([first, Bun.sleep(FIRST_CONTACT)])
  if (refusal !== undefined && needsHelp(refusal)) {
    await mongo[Symbol.asyncDispose]()
    throw new ConfigError(reasonOf(refusal, where), { cause: refusal })
  }
  void first.then(prepareUntilDone)
  return mongo
}

/** True where a unique index refused a document, and nothing else is wrong. */
export const isDuplicate = (error: unknown): error is MongoServerError =>
  error instanceof MongoServerError && error.code === 11000 && !isUnconfirmed(error)

/** True where the connection broke during a step. A caller that can tell whether it was done may try again at once. */
export function isBrokenConnection(error: unknown): boolean {
  // The driver wraps what befalls a bulk of writes.
  const cause: unknown = error instanceof MongoBulkWriteError ? error.errorResponse : error
  return cause instanceof MongoNetworkError && !(cause instanceof MongoNetworkTimeoutError)
}

/**
 * Runs a step, and once more where the connection broke and its outcome is unknown.
 * @param step gets `again`: whether it was tried before
 */
export const twice = <T>(step: (again: boolean) => Promise<T>): Promise<T> =>
  step(false).catch((error) => {
    if (isBrokenConnection(error)) return step(true)
    throw error
  })

/** Part of it may have been written, but not where it would survive. */
const isUnconfirmed = (error: MongoServerError) =>
  error instanceof MongoBulkWriteError && error.result.getWriteConcernError() !== undefined

/** These are of the kind that says that the caller is wrong, though the caller is not. */
const ENDED = [MongoNotConnectedError, MongoTopologyClosedError, MongoClientClosedError]

const isOutage = (error: unknown) =>
  error instanceof MongoError &&
  !isDuplicate(error) &&
  (!(error instanceof MongoAPIError) || ENDED.some((kind) => error instanceof kind))

/** Unauthorized, AuthenticationFailed, and what MongoDB's own cloud says of both. */
const REFUSED = new Set<unknown>([13, 18, 8000])
const isRefused = (error: unknown) => error instanceof MongoServerError && REFUSED.has(error.code)

/** True where only an operator can mend it. */
const needsHelp = (error: unknown) =>
  error instanceof ConfigError || isRefused(error) || untrusted(error) !== undefined

/** Why the driver could choose no server: the error of its last attempt to reach one. */
function connectionErrors(error: unknown): Error[] {
  if (!(error instanceof MongoServerSelectionError)) return []
  const servers = [...(error.reason?.servers.values() ?? [])]
  return servers.flatMap(({ error }) => error ?? [])
}

/** The error of TLS, where a certificate did not verify. */
const untrusted = (error: unknown): Error | undefined =>
  connectionErrors(error)
    .map(({ cause }) => cause as NodeJS.ErrnoException | undefined)
    .find((cause) => /CERT|SELF_SIGNED|UNABLE_TO_(GET|VERIFY)/.test(cause?.code ?? ""))

/** One sentence. */
function reasonOf(error: unknown, where: string): string {
  if (error instanceof ConfigError) return error.message
  const message = error instanceof Error ? error.message.replace(/\.$/, "") : String(error)
  if (isRefused(error)) {
    return `The MongoDB at ${where} refuses MONGODB_URL's user and password: ${message}.`
  }
  const certificate = untrusted(error)
  if (certificate) {
    return `The certificate of the MongoDB at ${where} cannot be trusted: ${certificate.message}.`
  }
  return `The MongoDB at ${where} cannot be used just now: ${message}.`
}

/** @throws ConfigError in a sentence that does not repeat the URL, for it may hold a password. */
function createClient({ url, name, connections }: MongoOptions): MongoClient {
  const inUrl = new Set([...url.matchAll(/[?&](\w+)=/g)].map(([, key]) => key!.toLowerCase()))
  const patience = Object.entries(PATIENCE).filter(([key]) => !inUrl.has(key.toLowerCase()))
  try {
    return new MongoClient(url, {
      ...Object.fromEntries(patience),
      ...(connections && { minPoolSize: 0, maxPoolSize: connections }),
      ...PROMISES,
      appName: `parley-${name}`,
    })
  } catch (error) {
    const why = (error as Error).message.replaceAll(url, "it").replace(/\.$/, "")
    throw new ConfigError(`MONGODB_URL cannot be used: ${why}.`)
  }
}

const hostsOf = ({ options }: MongoClient) => options.srvHost ?? options.hosts.join(",")

/** Of a URL that the driver has accepted. */
const databaseOf = (url: string) =>
  decodeURIComponent(/^[\w+]+:\/\/[^/]*\/([^?]+)/.exec(url)?.[1] ?? "parley")
