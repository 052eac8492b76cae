import { serve } from "@parley/testing/helper.ts"
import { jobs } from "./jobs.ts"

/** The load process: does what it is told, one call at a time. */
serve({ ...jobs })
