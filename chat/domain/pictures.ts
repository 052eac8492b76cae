import { createWeighedCache } from "@parley/platform/weighed-cache.ts"
import { CATCH_UP_PAGE, PAGE_BYTES, PICTURES_BYTES } from "../limits.ts"
import type { Store } from "../store/store.ts"
import { textBytes } from "./entry-bytes.ts"
import { fold, type Picture } from "./picture.ts"

/** About what a picture takes in memory: by itself, for each member, and for each author. */
const PICTURE = 1_000
const MEMBER = 300
const AUTHOR = 100

export interface Pictures {
  /** The picture this node has, or the store's; possibly behind other nodes, never ahead of the log. */
  get(conversation: string): Promise<Picture>
  /** What this node has at hand, without asking the store. */
  peek(conversation: string): Picture | undefined
  /** Takes in what other nodes have appended before this call. */
  catchUp(picture: Picture): Promise<void>
  /**
   * Remembers that another node says it has stored an entry: whoever writes next looks at the log first, and need not
   * lose a seq to learn of it. What the entry says is learnt from the log alone.
   */
  hear(conversation: string, seq: number): void
  /** Forgets a picture that may be wrong, after a write with an unknown outcome. */
  forget(conversation: string): void
}

interface Kept {
  picture: Picture
  weight: number
}

interface CatchUp {
  running: Promise<void>
  /** Begins when the running one has ended; all who come meanwhile share it. */
  next: Promise<void> | undefined
}

export function createPictures(store: Store, bytes = PICTURES_BYTES): Pictures {
  const known = createWeighedCache<Kept>({ maxBytes: bytes, maxEntryBytes: bytes })
  const loading = new Map<string, Promise<Picture>>()
  const catching = new Map<Picture, CatchUp>()

  function keep(picture: Picture): void {
    const weight = weigh(picture)
    known.set(picture.id, { picture, weight }, weight)
  }

  function peek(conversation: string): Picture | undefined {
    const kept = known.get(conversation)
    if (!kept) return undefined
    // Who writes folds into the picture itself, and members come and authors are learnt.
    if (weigh(kept.picture) > 2 * kept.weight) keep(kept.picture)
    return kept.picture
  }

  async function load(conversation: string): Promise<Picture> {
    try {
      const picture = await store.picture(conversation)
      // A conversation that does not exist is not worth a place: anyone can ask for any id.
      if (picture.head > 0) keep(picture)
      return picture
    } finally {
      loading.delete(conversation)
    }
  }

  async function catchUpNow(picture: Picture): Promise<void> {
    const missed = await store.entries(picture.id, picture.head, CATCH_UP_PAGE, PAGE_BYTES)
    // Who writes may have folded in some of it meanwhile.
    for (const entry of missed) if (entry.seq > picture.head) fold(picture, entry)
    const bytes = missed.reduce((sum, entry) => sum + textBytes(entry), 0)
    if (missed.length === CATCH_UP_PAGE || bytes > PAGE_BYTES) await loadAnew(picture)
    if (picture.head > 0) keep(picture)
    // What is not in the log by now is not waited for.
    picture.heard = picture.head
  }

  /** What is far behind is loaded in one step, however far; it costs as much as there are members. */
  async function loadAnew(picture: Picture): Promise<void> {
    const { id: _, ...present } = await store.picture(picture.id)
    // Without the counts of authors, which are learnt again.
    if (present.head > picture.head) Object.assign(picture, present)
  }

  /** One at a time for each picture. What is under way may have read the log before the call, so it is not enough. */
  function catchUp(picture: Picture): Promise<void> {
    const under = catching.get(picture)
    if (!under) return begin(picture)
    under.next ??= under.running.then(
      () => begin(picture),
      () => begin(picture),
    )
    return under.next
  }

  function begin(picture: Picture): Promise<void> {
    const running = catchUpNow(picture).finally(() => {
      if (catching.get(picture) === mine) catching.delete(picture)
    })
    const mine: CatchUp = { running, next: undefined }
    catching.set(picture, mine)
    return running
  }

  return {
    peek,
    async get(conversation) {
      const picture = peek(conversation)
      if (picture) return picture
      const pending = loading.get(conversation) ?? load(conversation)
      if (!known.peek(conversation)) loading.set(conversation, pending)
      return pending
    },
    catchUp,
    hear(conversation, seq) {
      const picture = known.peek(conversation)?.picture
      if (picture) picture.heard = Math.max(picture.heard, seq)
    },
    forget: (conversation) => known.delete(conversation),
  }
}

const weigh = ({ members, authored }: Picture): number =>
  PICTURE + members.size * MEMBER + authored.size * AUTHOR
