import { resolve } from "node:path"

/** The folder of the clone, absolute. */
export const ROOT = resolve(import.meta.dir, "../..")

/** A path inside the clone, absolute. */
export const inRoot = (...path: string[]): string => resolve(ROOT, ...path)
