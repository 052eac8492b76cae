import { createGate, type GateLoad } from "./gate.ts"

export interface HashingOptions {
  /** argon2id's memory, in KiB. */
  memoryCost: number
  /** argon2id's passes over it. */
  timeCost: number
  /** How many hashes are computed at the same time. */
  concurrency: number
  /** How many may wait; beyond that, sign-ins are refused with RATE_LIMITED. */
  queue: number
}

/**
 * The costs that OWASP's Password Storage Cheat Sheet asks for. Two at a time keep the memory bounded and leave the
 * event loop free; a queue of 128 is some seconds of waiting.
 */
export const HASHING: HashingOptions = {
  memoryCost: 19_456,
  timeCost: 2,
  concurrency: 2,
  queue: 128,
}

/** Hashes and checks passwords with argon2id (RFC 9106), off the event loop and few at a time. */
export interface Hasher {
  /** @throws ParleyError RATE_LIMITED where too many wait already. */
  hash(password: string): Promise<string>
  /**
   * False for a wrong password and, at the same cost, where there is no account and hence no hash.
   * @throws ParleyError RATE_LIMITED where too many wait already: nothing was checked then.
   */
  verify(password: string, hash: string | undefined): Promise<boolean>
  /** How many passwords it has to do with just now. */
  load(): GateLoad
}

export async function createHasher(options: HashingOptions): Promise<Hasher> {
  const { memoryCost, timeCost } = options
  const gate = createGate(options)
  const compute = (password: string) =>
    Bun.password.hash(password, { algorithm: "argon2id", memoryCost, timeCost })
  const nobodys = await compute(crypto.randomUUID())

  return {
    load: gate.load,
    hash: (password) => gate.run(() => compute(password)),
    verify: (password, hash) =>
      gate.run(async () => {
        const right = await Bun.password.verify(password, hash ?? nobodys)
        return right && hash !== undefined
      }),
  }
}
