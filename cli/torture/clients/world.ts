import type { Recorder } from "../history/recorder.ts"
import type { Names } from "../system/system.ts"

/** A conversation, as the harness believes it to be. */
export interface Room {
  id: string
  /** The founder, who stays; undefined where its members never change. */
  admin: string | undefined
  members: Set<string>
  /** Who is added and removed. */
  movers: string[]
  /** Much more is written here than elsewhere. */
  busy: boolean
  /** The newest acknowledged seq. */
  acknowledged: number
}

/** What all clients of a run share. */
export interface World {
  recorder: Recorder
  rooms: Map<string, Room>
  /** Conversations that attackers have made: people are in them, and do nothing there. */
  unasked: Map<string, Room>
  /** Ids of users and their names. */
  ids: Map<string, string>
  nameOf: Names
  /** Set once nothing new is to be begun. */
  stopping: boolean
  /** How many messages have been acknowledged so far. */
  acknowledged: number
  /** Ids of people by their names. */
  idOf(name: string): string
}

export function createWorld(recorder: Recorder): World {
  const ids = new Map<string, string>()
  return {
    recorder,
    rooms: new Map(),
    unasked: new Map(),
    ids,
    nameOf: (id) => ids.get(id) ?? id,
    stopping: false,
    acknowledged: 0,
    idOf(name) {
      for (const [id, known] of ids) if (known === name) return id
      throw new Error(`no person is called ${name}`)
    },
  }
}

/** What a loop waits: cut short once everyone is to stop. */
export async function pause(world: World, ms: number): Promise<void> {
  const until = performance.now() + ms
  for (let left = ms; left > 0 && !world.stopping; left = until - performance.now()) {
    await Bun.sleep(Math.min(left, 250))
  }
}
