import { silentLogger } from "@parley/platform/log.ts"
import { temporaryFolder } from "@parley/testing/folder.ts"
import type { AuthConfig } from "../config.ts"
import { createAuthContext } from "../context.ts"
import { openSqliteStore } from "../store/sqlite/sqlite.ts"
import type { Store } from "../store/store.ts"
import { CHEAP, configFor } from "./world.ts"

/** A clock that stands still until a test moves it. */
export function stoppedClock(now = Date.UTC(2026, 0, 1)) {
  return {
    now: () => now,
    pass(ms: number) {
      now += ms
    },
  }
}

/**
 * The parts of the service without its door, on a real store. `meddle` may put operations of its own in the place of
 * the store's, to make happen what otherwise needs luck.
 */
export async function startParts(
  meddle: (store: Store) => Partial<Store> = () => ({}),
  settings: Partial<AuthConfig> = {},
) {
  const folder = temporaryFolder()
  const clock = stoppedClock()
  const plain = openSqliteStore(folder.path, clock)
  const store = { ...plain, ...meddle(plain) }
  const config = configFor(folder.path, settings)
  const auth = await createAuthContext(config, { store, log: silentLogger, hashing: CHEAP })
  return {
    ...auth,
    clock,
    async [Symbol.asyncDispose]() {
      await auth[Symbol.asyncDispose]()
      folder[Symbol.dispose]()
    },
  }
}
