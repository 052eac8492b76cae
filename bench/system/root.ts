import { dirname, join } from "node:path"

const ROOT = dirname(dirname(import.meta.dir))

/** A path inside the clone, absolute. */
export const inRoot = (...path: string[]): string => join(ROOT, ...path)
