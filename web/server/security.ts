import type { WebConfig } from "../config.ts"
import { webConfig } from "./web-config.ts"

/** Nothing inline without the nonce, nothing from elsewhere, and no page around ours. */
export function contentPolicy(
  nonce: string,
  { publicUrl }: Pick<WebConfig, "publicUrl"> = webConfig(),
): string {
  // 'self' covers the socket by the standard; older Safari wants it named.
  const socket = publicUrl.origin.replace(/^http/, "ws")
  return [
    "default-src 'self'",
    `script-src 'self' 'nonce-${nonce}' 'strict-dynamic'`,
    `style-src 'self' 'nonce-${nonce}'`,
    `connect-src 'self' ${socket}`,
    "img-src 'self' data: blob:",
    "font-src 'self'",
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-src 'none'",
    "frame-ancestors 'none'",
  ].join("; ")
}
