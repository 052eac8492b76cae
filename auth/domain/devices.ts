import { timingSafeEqual } from "node:crypto"
import { MAX_ACCOUNTS_PER_DEVICE } from "../limits.ts"

/** Who signed in with a device: the user, by the password that was theirs then. */
export interface DeviceOwner {
  user: string
  passwordHash: string
}

/**
 * The device cookie: it tells auth that a browser has signed in to an account before, so that strangers' guesses cannot
 * lock it out, and the gateway which requests come from one browser. It is no credential: who has it still needs the
 * password. It holds a random id and a tag for each account, sealed with a key of auth's. A tag is made from the
 * password's hash too: once the password is changed, the devices that signed in before are unknown.
 */
export interface Devices {
  /** The name that the device's guesses are counted by, where the account has signed in with it; else undefined. */
  known(cookie: string | undefined, owner: DeviceOwner): Promise<string | undefined>
  /** The cookie for a device on which the account has just signed in: of the same device where it has one already. */
  welcome(cookie: string | undefined, owner: DeviceOwner): Promise<string>
  /**
   * The cookie for a device that renews a login session without one. All that a session is given are counted as one
   * device: who holds a copy of its refresh token would else make devices without end, each with guesses of its own. No
   * two are the same: the gateway tells the owner's browser from that of the copy.
   */
  restore(session: string, owner: DeviceOwner): Promise<string>
  /** Whether the cookie is one of auth's. */
  isOurs(cookie: string | undefined): Promise<boolean>
}

const FORM = /^([\w-]{22})\.([\w~-]{0,200})\.([\w-]{43})$/
/** An id is a name of this length and as much again. */
const NAME_LENGTH = 11
const TAG_LENGTH = 16

/** @param secret known to auth alone; without it no cookie can be made or changed. */
export function createDevices(secret: () => Promise<string>): Devices {
  const hmac = async (text: string) =>
    new Bun.CryptoHasher("sha256", await secret()).update(text).digest("base64url")
  const seal = (id: string, tags: string) => hmac(`parley device ${id}.${tags}`)
  const tagOf = async (id: string, { user, passwordHash }: DeviceOwner) =>
    (await hmac(`parley device of ${id} ${user} ${passwordHash}`)).slice(0, TAG_LENGTH)

  async function read(cookie: string | undefined) {
    const [, id = "", tags = "", given = ""] = FORM.exec(cookie ?? "") ?? []
    const expected = await seal(id, tags)
    if (given.length !== expected.length) return undefined
    if (!timingSafeEqual(Buffer.from(given), Buffer.from(expected))) return undefined
    return { id, tags: tags === "" ? [] : tags.split("~") }
  }

  async function withTag({ id, tags }: { id: string; tags: string[] }, owner: DeviceOwner) {
    const tag = await tagOf(id, owner)
    const kept = [tag, ...tags.filter((one) => one !== tag)].slice(0, MAX_ACCOUNTS_PER_DEVICE)
    return `${id}.${kept.join("~")}.${await seal(id, kept.join("~"))}`
  }

  return {
    async known(cookie, owner) {
      const device = await read(cookie)
      if (!device) return undefined
      if (!device.tags.includes(await tagOf(device.id, owner))) return undefined
      return device.id.slice(0, NAME_LENGTH)
    },
    async welcome(cookie, owner) {
      return withTag((await read(cookie)) ?? { id: newId(), tags: [] }, owner)
    },
    async restore(session, owner) {
      const name = (await hmac(`parley device for ${session}`)).slice(0, NAME_LENGTH)
      return withTag({ id: newId(name), tags: [] }, owner)
    },
    isOurs: async (cookie) => (await read(cookie)) !== undefined,
  }
}

const newId = (name = random64()) => name + random64()

/** 64 random bits, in NAME_LENGTH characters. */
const random64 = () => Buffer.from(crypto.getRandomValues(new Uint8Array(8))).toString("base64url")
