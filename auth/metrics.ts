import { ParleyError } from "@parley/platform/errors.ts"
import type { Metrics } from "@parley/platform/metrics.ts"
import { storeTimings, timed } from "@parley/platform/timed.ts"
import type { TokenBuckets } from "@parley/platform/token-bucket.ts"
import type { Accounts } from "./domain/accounts.ts"
import type { FairSemaphore } from "./domain/fair-semaphore.ts"
import type { RateLimit } from "./domain/rate-limits.ts"
import type { Sessions } from "./domain/sessions.ts"
import type { Turns } from "./domain/turns.ts"
import type { Store } from "./store/store.ts"

/** The metrics of an auth process; docs/observability.md says what each tells. Each answers the same, watched. */
export interface AuthMetrics {
  store(store: Store): Store
  accounts(accounts: Accounts): Accounts
  sessions(sessions: Sessions): Sessions
  limit(name: string, limit: RateLimit): RateLimit
  buckets(name: string, buckets: TokenBuckets): TokenBuckets
  turns(name: string, turns: Turns): Turns
  semaphore(semaphore: FairSemaphore): FairSemaphore
}

const OPERATIONS = [
  ...(["insertUser", "usersById", "userByUsername", "usersByUsernamePrefix"] as const),
  ...(["usersByNamePrefix", "updateProfile", "credentials", "credentialsById"] as const),
  ...([
    "replacePassword",
    "insertSession",
    "session",
    "liveAmong",
    "liveSessions",
    "rotateSession",
  ] as const),
  ...(["endSession", "endedSessions", "counter", "putCounter", "prune", "ping", "time"] as const),
] satisfies (keyof Store)[]

export function createAuthMetrics(metrics: Metrics): AuthMetrics {
  const attempts = metrics.counters(
    "parley_auth_attempts_total",
    "Sign-ups, sign-ins, refreshes and changes of passwords, by outcome: OK or an error code.",
    ["kind", "outcome"],
  )
  const refused = metrics.counters("parley_auth_rate_limited_total", "What a rate limit refused.", [
    "limit",
  ])

  const counted =
    <A extends unknown[], R>(kind: string, attempt: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      try {
        const result = await attempt(...args)
        attempts.of(kind, "OK").inc()
        return result
      } catch (error) {
        attempts.of(kind, codeOf(error)).inc()
        throw error
      }
    }

  /** Counts what a limit of that name refuses. */
  const refusing = (name: string) => {
    const count = refused.of(name)
    return <T>(attempt: Promise<T>): Promise<T> =>
      attempt.catch((error) => {
        if (codeOf(error) === "RATE_LIMITED") count.inc()
        throw error
      })
  }

  return {
    store: (store) => timed(store, OPERATIONS, storeTimings(metrics, "auth")),
    accounts: (accounts) => ({
      ...accounts,
      signUp: counted("sign-up", accounts.signUp),
      signIn: counted("sign-in", accounts.signIn),
      changePassword: counted("password", accounts.changePassword),
    }),
    sessions: (sessions) => ({ ...sessions, refresh: counted("refresh", sessions.refresh) }),
    limit(name, limit) {
      const watched = refusing(name)
      return { take: (subject) => watched(limit.take(subject)) }
    },
    buckets(name, buckets) {
      const count = refused.of(name)
      return {
        ...buckets,
        take(...asked) {
          const taken = buckets.take(...asked)
          if (!taken.ok) count.inc()
          return taken
        },
      }
    },
    turns(name, turns) {
      const watched = refusing(name)
      return {
        mustNotBeEarly: (...address) => watched(turns.mustNotBeEarly(...address)),
        take: (...address) => watched(turns.take(...address)),
      }
    },
    semaphore(semaphore) {
      metrics.gauge(
        "parley_auth_hashing_passwords",
        "Passwords being counted and hashed, and waiting for it.",
        () => ({ ...semaphore.load() }),
        "state",
      )
      return semaphore
    },
  }
}

const codeOf = (error: unknown) => (error instanceof ParleyError ? error.code : "INTERNAL")
