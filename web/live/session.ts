import { DEVICE_WITHIN_MS, REQUEST_TIMEOUT_MS } from "../limits.ts"
import { eraseDrafts } from "./drafts.ts"
import { eraseDeviceDbs } from "./outbox-db.ts"
import { within } from "./within.ts"
import { eraseWriteAhead } from "./write-ahead.ts"

/**
 * The login session as the browser sees it. The cookies are out of its sight; all it can do is to have them renewed,
 * once for all tabs, and to leave when that is refused.
 */

const RENEWED_AT = "parley.renewedAt"
/** The user who is signed in; what is left of it without a login says that the session ended from elsewhere. */
const ACCOUNT = "parley.account"
/** Another tab's renewal that is younger than this counts as ours. */
const FRESH_MS = 5_000

export type Renewal = "renewed" | "refused" | "unreachable"

let running: Promise<Renewal> | undefined

/** Renews the session, once for all tabs and all that ask at the same time. */
export function renewSession(): Promise<Renewal> {
  running ??= alone(renewUnlessFresh).finally(() => {
    running = undefined
  })
  return running
}

/** The same, whatever this browser believes about the last renewal: the server has just found no login. */
export function renewSessionAnew(): Promise<Renewal> {
  forget(RENEWED_AT)
  return renewSession()
}

/** Web Locks exist in secure contexts only; elsewhere the server bears two tabs that renew at the same moment. */
const alone = (work: () => Promise<Renewal>): Promise<Renewal> =>
  navigator.locks ? navigator.locks.request("parley-renew", work) : work()

/** One whose answer was lost is simply asked for again: the old token is good until the new one is presented. */
async function renewUnlessFresh(): Promise<Renewal> {
  const last = Number(stored(RENEWED_AT) ?? 0)
  if (Math.abs(Date.now() - last) < FRESH_MS) return "renewed"
  try {
    const response = await fetch("/graphql", {
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/graphql-response+json" },
      body: '{"query":"mutation RefreshSession { refreshSession { id } }"}',
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    })
    const result = (await response.json()) as RefreshResult
    const renewed = result.data?.refreshSession
    if (renewed) {
      store(RENEWED_AT, String(Date.now()))
      if (viewer === undefined || renewed.id === viewer) return "renewed"
      // Another person has signed in in this browser: the session that lives is theirs.
      void leaveToOther()
      return new Promise(() => {})
    }
    const refused = result.errors?.some(({ extensions }) => extensions?.code === "UNAUTHENTICATED")
    return refused ? "refused" : "unreachable"
  } catch {
    return "unreachable"
  }
}

interface RefreshResult {
  data?: { refreshSession?: { id: string } | null } | null
  errors?: { extensions?: { code?: string } }[]
}

/** Whether a person was signed in in this browser when one of its pages was last open. */
export const hasAccount = (): boolean => stored(ACCOUNT) !== null

/** The person for whom this page was loaded; undefined on the pages for signing in. */
let viewer: string | undefined

/**
 * Says who is signed in in this browser: to the other tabs, and to the sign-in page for the case that the session ends.
 * What another person has left here is erased.
 */
export async function rememberAccount(user: string): Promise<void> {
  const before = stored(ACCOUNT)
  if (before === user) return
  store(ACCOUNT, user)
  if (before !== null) await eraseKept((owner) => owner !== user)
}

/**
 * Says for whom this page was loaded, and leaves it when another person signs in in another tab: from then on what it
 * asks would be asked in their name. Returns what ends that.
 */
export function belongTo(user: string): () => void {
  viewer = user
  void rememberAccount(user)
  const heed = ({ key, newValue }: StorageEvent) => {
    if (key === ACCOUNT && newValue !== null && newValue !== user) void leaveToOther()
  }
  addEventListener("storage", heed)
  return () => removeEventListener("storage", heed)
}

const erasers = new Set<() => Promise<void>>()

/** Registers what is to be erased from the device before the page is left; returns what takes it back. */
export function beforeLeaving(erase: () => Promise<void>): () => void {
  erasers.add(erase)
  return () => erasers.delete(erase)
}

let leaving: Promise<void> | undefined
let signingOut = false

/** While the person signs out, here or in another tab, an ended session is what they want. */
export function expectSignOut(expected: boolean): void {
  signingOut = expected
}

/** The session was refused: nothing of the person stays on this device, and the sign-in page says why. */
export function leaveEndedSession(): Promise<void> {
  if (signingOut) return leaveSignedOut()
  const next = location.pathname === "/" ? "" : `&next=${encodeURIComponent(location.pathname)}`
  return leave(`/sign-in?ended=1${next}`)
}

/** The person has signed out, in this tab or another one. */
export const leaveSignedOut = (): Promise<void> => leave("/sign-in")

/** Another person has signed in: the start is their page. */
const leaveToOther = (): Promise<void> => leave("/")

/** A full load, so that nothing of the signed-in person stays in memory. */
function leave(to: string): Promise<void> {
  if (location.pathname === "/sign-in") return Promise.resolve()
  leaving ??= (async () => {
    const erased = Promise.allSettled([...erasers].map((erase) => erase()))
    // A disk that hangs must not keep the page.
    await within(erased, DEVICE_WITHIN_MS).catch(() => {})
    const account = stored(ACCOUNT)
    if (account === null || account === viewer) {
      forget(RENEWED_AT)
      forget(ACCOUNT)
    }
    location.assign(to)
  })()
  return leaving
}

/**
 * Erases all that persons who were signed in have left in this browser. Only for a browser in which no session lives.
 * @returns whether there was an account: its session has ended from elsewhere
 */
export async function eraseTraces(): Promise<boolean> {
  const account = hasAccount()
  forget(RENEWED_AT)
  forget(ACCOUNT)
  await eraseKept(() => true)
  return account
}

async function eraseKept(of: (owner: string) => boolean): Promise<void> {
  eraseWriteAhead(of)
  eraseDrafts(of)
  await within(eraseDeviceDbs(of), DEVICE_WITHIN_MS).catch(() => {})
}

function stored(key: string): string | null {
  try {
    return localStorage.getItem(key)
  } catch {
    return null
  }
}

function store(key: string, value: string): void {
  try {
    localStorage.setItem(key, value)
  } catch {
    // Full, or forbidden: it is a hint to other pages, and none is lost without it.
  }
}

function forget(key: string): void {
  try {
    localStorage.removeItem(key)
  } catch {
    // Where nothing can be kept, nothing is left.
  }
}
