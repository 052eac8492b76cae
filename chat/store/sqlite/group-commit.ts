import type { Database } from "bun:sqlite"
import { unavailable } from "@parley/platform/errors.ts"
import { MAX_UNCOMMITTED } from "../../limits.ts"

interface Work {
  run(): unknown
  resolve(value: unknown): void
  reject(reason: unknown): void
}

export interface GroupCommit {
  /** Runs `work` inside the next transaction and resolves with its result once that is on disk. */
  write<T>(work: () => T): Promise<T>
  /** Commits what is waiting. */
  flush(): void
}

/**
 * Group commit: everything written in one turn of the event loop shares one transaction and so one fsync. Work must not
 * throw for what it can foresee: an error rolls the whole group back, and each writer in it hears UNAVAILABLE.
 */
export function createGroupCommit(db: Database): GroupCommit {
  let waiting: Work[] = []
  let scheduled = false

  function flush(): void {
    scheduled = false
    const group = waiting
    waiting = []
    if (group.length === 0) return
    let results: unknown[]
    try {
      db.run("BEGIN IMMEDIATE")
      results = group.map((work) => work.run())
      db.run("COMMIT")
    } catch (error) {
      rollback()
      const reason = unavailable("The store cannot write just now.", error)
      for (const work of group) work.reject(reason)
      return
    }
    group.forEach((work, index) => {
      work.resolve(results[index])
    })
  }

  /** A failed disk may have ended the transaction already, and a closed store has none: neither is worth an error. */
  function rollback(): void {
    try {
      if (db.inTransaction) db.run("ROLLBACK")
    } catch {}
  }

  return {
    write<T>(run: () => T) {
      if (waiting.length >= MAX_UNCOMMITTED) {
        return Promise.reject(unavailable("The store has too much to write just now."))
      }
      if (!scheduled) {
        scheduled = true
        setImmediate(flush)
      }
      return new Promise<T>((resolve, reject) => {
        waiting.push({ run, resolve: resolve as Work["resolve"], reject })
      })
    },
    flush,
  }
}
