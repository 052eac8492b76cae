import { redirect } from "next/navigation"
import { Me } from "../live/documents.ts"
import { askGraph } from "./graph.ts"

/** The pages for signing in are of no use to whoever is signed in. Where that cannot be found out, they are shown. */
export async function leaveIfSignedIn(): Promise<void> {
  const answer = await askGraph(Me, {}).catch(() => undefined)
  if (answer?.data?.me) redirect("/")
}
