import { Database } from "bun:sqlite"

/** Something that at most one process holds; letting go of it is all one can do with it. */
export interface Lock extends Disposable {
  release(): void
}

/**
 * Takes the lock that `file` stands for, or answers undefined where another process holds it. The system itself lets go
 * of it when its holder ends, however it ends, so there is no stale lock and no process id to compare: it is SQLite's
 * lock on an empty database.
 * @throws the system's error where the file cannot be opened.
 */
export function takeLock(file: string): Lock | undefined {
  const database = new Database(file, { create: true })
  try {
    database.run("BEGIN EXCLUSIVE")
  } catch (error) {
    database.close()
    if ((error as { code?: string }).code === "SQLITE_BUSY") return undefined
    throw error
  }
  const release = () => database.close()
  return { release, [Symbol.dispose]: release }
}
