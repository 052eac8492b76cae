import { join } from "node:path"
import type { Logger } from "@parley/platform/log.ts"
import { plain, SECURITY_HEADERS } from "../responses.ts"
import { ASSETS } from "./build.ts"

export interface Playground {
  /** The page; bundles GraphiQL first, where that has not been done. */
  page(): Promise<Response>
  /** One of the files that the page asks for. */
  asset(name: string): Promise<Response>
}

/**
 * GraphiQL, from our own files: nothing is loaded from elsewhere, and no script is inline.
 * @param bundled the folder that holds ASSETS, where they have been bundled beforehand
 */
export function createPlayground(log: Logger, bundled?: string): Playground {
  let folder = bundled === undefined ? undefined : Promise.resolve(bundled)

  function built(): Promise<string> {
    folder ??= build().catch((error) => {
      // The next visitor tries again.
      folder = undefined
      throw error
    })
    return folder
  }

  const unbuilt = (error: unknown) => {
    log.error("the playground cannot be built", { error })
    return plain(503, "The playground cannot be built; the log of the gateway says why.")
  }

  return {
    async page() {
      try {
        await built()
      } catch (error) {
        return unbuilt(error)
      }
      const nonce = Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString("base64")
      return new Response(page(nonce), {
        headers: {
          ...SECURITY_HEADERS,
          "content-security-policy": policy(nonce),
          "content-type": "text/html; charset=utf-8",
          "cache-control": "no-store",
        },
      })
    },
    async asset(name) {
      const asset = ASSETS.find((asset) => asset === name)
      if (!asset) return plain(404, "There is nothing here.")
      try {
        const file = Bun.file(join(await built(), asset))
        const headers = {
          ...SECURITY_HEADERS,
          "content-type": file.type,
          "cache-control": "no-cache",
          etag: `"${Bun.hash(`${await built()} ${asset}`).toString(36)}"`,
        }
        return new Response(file, { headers })
      } catch (error) {
        return unbuilt(error)
      }
    },
  }
}

async function build(): Promise<string> {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "build.ts")], {
    stdout: "pipe",
    stderr: "pipe",
  })
  const [folder, problem, status] = await Promise.all([
    Bun.readableStreamToText(child.stdout),
    Bun.readableStreamToText(child.stderr),
    child.exited,
  ])
  if (status !== 0) throw new Error(problem)
  return folder
}

/** GraphiQL's menus bring styles of their own, which carry the nonce that they find in the page. */
const policy = (nonce: string) =>
  [
    "default-src 'none'",
    "script-src 'self'",
    `style-src 'self' 'nonce-${nonce}'`,
    "img-src 'self' data:",
    "font-src 'self' data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; ")

const page = (nonce: string) => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<meta property="csp-nonce" nonce="${nonce}">
<title>Parley: playground</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/graphql/playground.css">
</head>
<body>
<div id="playground"></div>
<script type="module" src="/graphql/playground.js"></script>
</body>
</html>
`
