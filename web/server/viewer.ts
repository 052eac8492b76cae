import { cookies } from "next/headers"
import { redirect } from "next/navigation"
import { Me } from "../live/documents.ts"
import { askGraph } from "./graph.ts"
import { webConfig } from "./web-config.ts"

/**
 * What is known of the visitor of a page for signing in: they came with no session; they may have one, though its
 * access token has run out or the gateway cannot say.
 */
export type Visitor = "signed-out" | "unknown"

/** The pages for signing in are of no use to a person who is signed in: they go on to `next`. */
export async function leaveIfSignedIn(next: string): Promise<Visitor> {
  const answer = await askGraph(Me, {}).catch(() => undefined)
  if (answer?.data?.me) redirect(next)
  const prefix = webConfig().publicUrl.protocol === "https:" ? "__Host-" : ""
  const mayRenew = (await cookies()).has(`${prefix}parley_refresh`)
  return answer && !answer.errors && !mayRenew ? "signed-out" : "unknown"
}
