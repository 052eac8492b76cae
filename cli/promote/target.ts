import { systemClock } from "@parley/platform/clock.ts"
import { ConfigError } from "@parley/platform/config.ts"
import type { Logger } from "@parley/platform/log.ts"
import { openMongo } from "@parley/platform/mongo.ts"
import { INDEXES as AUTH_INDEXES } from "../../auth/store/mongo/shapes.ts"
import { type Store as AuthStore, openStore as openAuthStore } from "../../auth/store/store.ts"
import { INDEXES as CHAT_INDEXES } from "../../chat/store/mongo/shapes.ts"
import { type Store as ChatStore, openStore as openChatStore } from "../../chat/store/store.ts"

/** What says in a database which installation is being moved there, so that no other one is. */
interface Promotion {
  _id: "promotion"
  /** Tells installations apart. */
  of: string
  /** Undefined until everything is there. */
  finishedAt?: Date
}

/** The database that an installation is moved to. */
export interface Target extends AsyncDisposable {
  auth: AuthStore
  chat: ChatStore
  /** How many documents a collection has. */
  count(collection: string): Promise<number>
  /**
   * Makes the database ready to take the installation: it holds no other installation, and no accounts of an earlier attempt.
   * @returns when the installation was moved there before; undefined where it has yet to be.
   * @throws ConfigError where the database holds data of another installation.
   */
  begin(installation: string): Promise<Date | undefined>
  finish(): Promise<void>
}

export interface TargetOptions {
  mongodbUrl: string
  /** What the cluster will be started with: the signing keys are sealed with it. */
  linkSecret: string
  log: Logger
}

/** What is copied anew by each attempt. */
const ACCOUNTS = [...Object.keys(AUTH_INDEXES), "secrets", "settings", "usage"]
const EVERYTHING = [...new Set([...ACCOUNTS, ...Object.keys(CHAT_INDEXES)])]

/** @throws ConfigError where it cannot be reached or used. */
export async function openTarget({ mongodbUrl, linkSecret, log }: TargetOptions): Promise<Target> {
  const mongo = await openMongo({
    url: mongodbUrl,
    name: "promotion",
    version: 1,
    indexes: {},
    log,
  })
  await mongo.ping().catch((error: Error) => {
    throw new ConfigError(error.message, { cause: error })
  })
  const auth = await openAuthStore(
    { dataDir: "", mongodbUrl, linkSecret },
    { clock: systemClock, log },
  )
  const chat = await openChatStore({ dataDir: "", cluster: { mongodbUrl } }, log)
  const promotions = mongo.collection<Promotion>("promotions")
  const count = (name: string) =>
    mongo.run(() => mongo.collection(name).countDocuments({}, { hint: "_id_" }))

  return {
    auth,
    chat,
    count,
    async begin(installation) {
      const found = await mongo.run(() => promotions.findOne({ _id: "promotion" }))
      if (found && found.of !== installation) throw foreign("another installation was moved there")
      if (found?.finishedAt) return found.finishedAt
      if ((await count("nodes")) > 0) throw foreign("chat nodes have run on it")
      if (!found) {
        for (const name of EVERYTHING) {
          if ((await count(name)) > 0) throw foreign(`it has ${name} already`)
        }
        await mongo.run(() => promotions.insertOne({ _id: "promotion", of: installation }))
      }
      // They are few and may have changed meanwhile; what conversations say never changes.
      for (const name of ACCOUNTS) await mongo.run(() => mongo.collection(name).deleteMany({}))
      return undefined
    },
    async finish() {
      await mongo.run(() =>
        promotions.updateOne({ _id: "promotion" }, { $set: { finishedAt: new Date() } }),
      )
    },
    async [Symbol.asyncDispose]() {
      await auth[Symbol.asyncDispose]()
      await chat[Symbol.asyncDispose]()
      await mongo[Symbol.asyncDispose]()
    },
  }
}

const foreign = (why: string) =>
  new ConfigError(
    `The database that MONGODB_URL names cannot take this installation, because ${why}: name one that is empty.`,
  )
