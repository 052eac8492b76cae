import { HASHES_AT_ONCE } from "../limits.ts"

export interface HashingOptions {
  /** argon2id's memory, in KiB. */
  memoryCost: number
  /** argon2id's passes over it. */
  timeCost: number
  /** How many hashes are computed at the same time. */
  concurrency: number
}

/**
 * The costs that OWASP's Password Storage Cheat Sheet asks for. Two at a time keep the memory bounded and leave the
 * event loop free.
 */
export const HASHING: HashingOptions = {
  memoryCost: 19_456,
  timeCost: 2,
  concurrency: HASHES_AT_ONCE,
}

/**
 * Hashes and checks passwords with argon2id (RFC 9106), off the event loop and few at a time, first come first served.
 * How many may wait is its caller's to bound (fair-semaphore.ts).
 */
export interface Hasher {
  hash(password: string): Promise<string>
  /** False for a wrong password and, at the same cost, where there is no account and hence no hash. */
  verify(password: string, hash: string | undefined): Promise<boolean>
}

export async function createHasher(options: HashingOptions): Promise<Hasher> {
  const { memoryCost, timeCost, concurrency } = options
  const few = createSemaphore(concurrency)
  const compute = (password: string) =>
    Bun.password.hash(password, { algorithm: "argon2id", memoryCost, timeCost })
  const nobodys = await compute(crypto.randomUUID())

  return {
    hash: (password) => few(() => compute(password)),
    verify: (password, hash) =>
      few(async () => {
        const right = await Bun.password.verify(password, hash ?? nobodys)
        return right && hash !== undefined
      }),
  }
}

/** Runs so many jobs at once, the others in the order in which they came. */
function createSemaphore(concurrency: number) {
  const waiting: (() => void)[] = []
  let running = 0
  return async <T>(job: () => Promise<T>): Promise<T> => {
    // A job that ends hands its place over, so that none slips in between.
    if (running >= concurrency) await new Promise<void>((resolve) => waiting.push(resolve))
    else running += 1
    try {
      return await job()
    } finally {
      const next = waiting.shift()
      if (next) next()
      else running -= 1
    }
  }
}
