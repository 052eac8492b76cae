import { type Clock, systemClock } from "@parley/platform/clock.ts"
import { isUnavailable } from "@parley/platform/errors.ts"
import { type IdSource, uuidv7Source } from "@parley/platform/ids.ts"
import { createLogger, type Logger } from "@parley/platform/log.ts"
import type { Metrics } from "@parley/platform/metrics.ts"
import { openMetrics } from "@parley/platform/metrics-server.ts"
import { type BucketSize, createTokenBuckets } from "@parley/platform/token-bucket.ts"
import { createTokenVerifier, type TokenVerifier } from "@parley/platform/tokens.ts"
import { openTracer, type Tracer } from "@parley/platform/tracing.ts"
import { type Audit, createAudit } from "./audit.ts"
import type { AuthConfig } from "./config.ts"
import { createAccessTokens } from "./domain/access-tokens.ts"
import { type Accounts, createAccounts } from "./domain/accounts.ts"
import { createDevices, type Devices } from "./domain/devices.ts"
import { createFairSemaphore } from "./domain/fair-semaphore.ts"
import { createGuesses } from "./domain/guesses.ts"
import { createHasher, HASHING, type HashingOptions } from "./domain/hashing.ts"
import { createKeys, type Keys } from "./domain/keys.ts"
import { createRateLimit } from "./domain/rate-limits.ts"
import { createRefreshTokens } from "./domain/refresh-tokens.ts"
import { createSessions, type Sessions } from "./domain/sessions.ts"
import { createTurns } from "./domain/turns.ts"
import {
  GUESS_WINDOW_MS,
  GUESSES_PER_ACCOUNT,
  GUESSES_PER_ACCOUNT_AND_ADDRESS,
  GUESSES_PER_ACCOUNT_AND_NETWORK,
  GUESSES_PER_DEVICE,
  GUESSES_PER_SESSION,
  NETWORK_FACTOR,
  PROFILE_CHANGES_PER_ACCOUNT,
  PROFILE_CHANGES_WINDOW_MS,
  REFRESHES_PER_SESSION,
  SEARCHES_PER_ACCOUNT,
  SIGN_INS_AT_ONCE,
  SIGN_INS_AT_ONCE_PER_ACCOUNT,
  SIGN_INS_PER_ACCOUNT,
  SIGN_INS_WAITING,
  SIGN_INS_WAITING_PER_ACCOUNT,
  SIGN_INS_WAITING_PER_ADDRESS,
  SIGN_INS_WINDOW_MS,
  SIGN_UP_WINDOW_MS,
} from "./limits.ts"
import { createAuthMetrics } from "./metrics.ts"
import { openStore, type Store } from "./store/store.ts"

const DAY = 24 * 60 * 60_000

/** Everything that the auth service is made of. Its maker disposes of it. */
export interface AuthContext extends AsyncDisposable {
  config: AuthConfig
  log: Logger
  tracer: Tracer | undefined
  /** Where an operator wants to read them. */
  metrics: Metrics | undefined
  store: Store
  keys: Keys
  tokens: TokenVerifier
  sessions: Sessions
  accounts: Accounts
  devices: Devices
  audit: Audit
  /** Forgets what has no meaning any more: to be called now and then. */
  prune(): Promise<void>
  /** Resolves where accounts and keys can be had; rejects with the reason where not. */
  ready(): Promise<void>
}

/** What a test may hand in. */
export interface AuthOverrides {
  clock?: Clock
  ids?: IdSource
  log?: Logger
  tracer?: Tracer
  store?: Store
  hashing?: Partial<HashingOptions>
  /** How many sign-ins may wait. */
  queue?: number
}

/**
 * Wires the service. Where its MongoDB is away, it is wired all the same.
 * @throws ConfigError where DATA_DIR, MONGODB_URL or the keys cannot be used.
 */
export async function createAuthContext(
  config: AuthConfig,
  overrides: AuthOverrides = {},
): Promise<AuthContext> {
  const log = overrides.log ?? createLogger("auth", config.logLevel)
  const metrics = openMetrics(config.observability?.metrics, log)
  const authMetrics = metrics && createAuthMetrics(metrics)
  const tracer = overrides.tracer ?? (await openTracer("auth", config.observability?.traces, log))
  const opened =
    overrides.store ?? (await openStore(config, { clock: overrides.clock ?? systemClock, log }))
  const store = authMetrics ? authMetrics.store(opened) : opened
  // Not this machine's: what one process writes, another one reads.
  const { clock } = store
  const ids = overrides.ids ?? uuidv7Source(clock)
  const keys = createKeys(store.keys, clock)
  await keys.load().catch(async (error) => {
    if (isUnavailable(error)) return
    await store[Symbol.asyncDispose]()
    throw error
  })
  const buckets = (name: string, size: BucketSize) => {
    const plain = createTokenBuckets(size)
    return authMetrics ? authMetrics.buckets(name, plain) : plain
  }
  const plainSessions = createSessions({
    store,
    clock,
    ids,
    accessTokens: createAccessTokens(keys, config.publicUrl, clock),
    refreshTokens: createRefreshTokens(keys.refreshSecret),
    limits: { refreshes: buckets("refresh/session", REFRESHES_PER_SESSION) },
  })
  const sessions = authMetrics ? authMetrics.sessions(plainSessions) : plainSessions
  const devices = createDevices(keys.refreshSecret)
  const hasher = await createHasher({ ...HASHING, ...overrides.hashing })
  const plainLimit = (name: string, limit: number, windowMs: number, message: string) =>
    createRateLimit({ store, clock, name, limit, windowMs, message })
  const rateLimit: typeof plainLimit = (name, ...rest) => {
    const plain = plainLimit(name, ...rest)
    return authMetrics ? authMetrics.limit(name, plain) : plain
  }
  const turns = createTurns({ store, clock, message: TOO_MANY_GUESSES })
  const guessLimit = (subject: string, limit: number) =>
    rateLimit(`guess/${subject}`, limit, GUESS_WINDOW_MS, TOO_MANY_GUESSES)
  const guesses = createGuesses({
    limits: {
      address: guessLimit("address", config.guessesPerAddress),
      network: guessLimit("network", config.guessesPerAddress * NETWORK_FACTOR),
      accountAndAddress: guessLimit("account-address", GUESSES_PER_ACCOUNT_AND_ADDRESS),
      accountAndNetwork: guessLimit("account-network", GUESSES_PER_ACCOUNT_AND_NETWORK),
      // It refuses no request itself: beyond it there are turns.
      account: plainLimit("guess/account", GUESSES_PER_ACCOUNT, GUESS_WINDOW_MS, TOO_MANY_GUESSES),
      device: guessLimit("device", GUESSES_PER_DEVICE),
      session: guessLimit("session", GUESSES_PER_SESSION),
    },
    turns: authMetrics ? authMetrics.turns("guess/turn", turns) : turns,
  })
  const semaphore = createFairSemaphore({
    concurrency: SIGN_INS_AT_ONCE,
    perAccount: SIGN_INS_AT_ONCE_PER_ACCOUNT,
    queue: overrides.queue ?? SIGN_INS_WAITING,
    waitingPerAccount: SIGN_INS_WAITING_PER_ACCOUNT,
    waitingPerAddress: SIGN_INS_WAITING_PER_ADDRESS,
  })
  const signUpLimit = (subject: string, limit: number) =>
    rateLimit(`sign-up/${subject}`, limit, SIGN_UP_WINDOW_MS, TOO_MANY_SIGN_UPS)
  const accounts = createAccounts({
    store,
    clock,
    ids,
    sessions,
    hasher,
    devices,
    guesses,
    semaphore: authMetrics ? authMetrics.semaphore(semaphore) : semaphore,
    limits: {
      signUps: signUpLimit("address", config.signUpsPerAddress),
      networkSignUps: signUpLimit("network", config.signUpsPerAddress * NETWORK_FACTOR),
      signIns: rateLimit(
        "sign-in/account",
        SIGN_INS_PER_ACCOUNT,
        SIGN_INS_WINDOW_MS,
        TOO_MANY_SIGN_INS,
      ),
      profileChanges: rateLimit(
        "profile/account",
        PROFILE_CHANGES_PER_ACCOUNT,
        PROFILE_CHANGES_WINDOW_MS,
        TOO_MANY_PROFILE_CHANGES,
      ),
      searches: buckets("search/account", SEARCHES_PER_ACCOUNT),
    },
  })
  return {
    config,
    log,
    tracer,
    metrics,
    store,
    keys,
    sessions,
    devices,
    audit: createAudit(log),
    accounts: authMetrics ? authMetrics.accounts(accounts) : accounts,
    tokens: createTokenVerifier({ keys: keys.verifying, issuer: config.publicUrl, clock }),
    // Ended sessions stay for a day: a stolen token is still recognised as one, and the gateway may have been away.
    prune: async () => store.prune(clock.now(), clock.now() - DAY),
    async ready() {
      await store.ping()
      await keys.load()
    },
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]()
      await tracer?.[Symbol.asyncDispose]()
      metrics?.[Symbol.dispose]()
    },
  }
}

const TOO_MANY_GUESSES = "Too many wrong passwords: wait a little and try again."
const TOO_MANY_SIGN_UPS = "Too many accounts were created from this address: try again later."
const TOO_MANY_PROFILE_CHANGES = "This profile was changed too often: try again later."
const TOO_MANY_SIGN_INS = "This account was signed in too often today: try again later."
