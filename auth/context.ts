import { type Clock, systemClock } from "@parley/service/clock.ts"
import { isUnavailable } from "@parley/service/errors.ts"
import { type IdSource, uuidv7Source } from "@parley/service/ids.ts"
import { createLogger, type Logger } from "@parley/service/log.ts"
import type { Metrics } from "@parley/service/metrics.ts"
import { openMetrics } from "@parley/service/metrics-server.ts"
import { createTokenVerifier, type TokenVerifier } from "@parley/service/tokens.ts"
import { openTracer, type Tracer } from "@parley/service/tracing.ts"
import type { AuthConfig } from "./config.ts"
import { createAccessTokens } from "./domain/access-tokens.ts"
import { type Accounts, createAccounts } from "./domain/accounts.ts"
import { createHasher, HASHING, type HashingOptions } from "./domain/hashing.ts"
import { createKeys, type Keys } from "./domain/keys.ts"
import { createRateLimit } from "./domain/rate-limits.ts"
import { createRefreshTokens } from "./domain/refresh-tokens.ts"
import { createSessions, type Sessions } from "./domain/sessions.ts"
import { createAuthMetrics } from "./metrics.ts"
import { openStore, type Store } from "./store/store.ts"

const MINUTE = 60_000
const HOUR = 60 * MINUTE

/** Everything that the auth service is made of. Whoever made it disposes of it. */
export interface AuthContext extends AsyncDisposable {
  config: AuthConfig
  log: Logger
  tracer: Tracer | undefined
  /** Where somebody is to read them. */
  metrics: Metrics | undefined
  store: Store
  keys: Keys
  tokens: TokenVerifier
  sessions: Sessions
  accounts: Accounts
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
  const figures = metrics && createAuthMetrics(metrics)
  const tracer = overrides.tracer ?? (await openTracer("auth", config.observability?.traces, log))
  const opened =
    overrides.store ?? (await openStore(config, { clock: overrides.clock ?? systemClock, log }))
  const store = figures ? figures.store(opened) : opened
  // Not this machine's: what one process writes, another one reads.
  const { clock } = store
  const ids = overrides.ids ?? uuidv7Source(clock)
  const keys = createKeys(store.keys, clock)
  await keys.load().catch(async (error) => {
    if (isUnavailable(error)) return
    await store[Symbol.asyncDispose]()
    throw error
  })
  const plainSessions = createSessions({
    store,
    clock,
    ids,
    accessTokens: createAccessTokens(keys, config.publicUrl, clock),
    refreshTokens: createRefreshTokens(keys.refreshSecret),
  })
  const sessions = figures ? figures.sessions(plainSessions) : plainSessions
  const hasher = await createHasher({ ...HASHING, ...overrides.hashing })
  const rateLimit = (name: string, limit: number, windowMs: number, message: string) => {
    const plain = createRateLimit({ store, clock, name, limit, windowMs, message })
    return figures ? figures.limit(name, plain) : plain
  }
  const tooManyGuesses = "Too many wrong passwords: wait a little and try again."
  const accounts = createAccounts({
    store,
    clock,
    ids,
    sessions,
    hasher: figures ? figures.hasher(hasher) : hasher,
    limits: {
      signUps: rateLimit(
        "sign-up/address",
        config.signUpsPerAddress,
        HOUR,
        "Too many accounts were created from this address: try again later.",
      ),
      accountGuesses: rateLimit("guess/account", 10, 15 * MINUTE, tooManyGuesses),
      addressGuesses: rateLimit(
        "guess/address",
        config.guessesPerAddress,
        15 * MINUTE,
        tooManyGuesses,
      ),
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
    accounts: figures ? figures.accounts(accounts) : accounts,
    tokens: createTokenVerifier({ keys: keys.verifying, issuer: config.publicUrl, clock }),
    // Ended sessions stay for a day: a stolen token is still recognised as one, and the gateway may have been away.
    prune: async () => store.prune(clock.now(), clock.now() - 24 * HOUR),
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
