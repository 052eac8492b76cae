import { fileURLToPath } from "node:url"
import type { NextConfig } from "next"

/** For whatever is served, pages and files alike; the policy with a nonce is per page and comes from proxy.ts. */
const SECURITY_HEADERS = {
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "same-origin",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
}

const config: NextConfig = {
  poweredByHeader: false,
  agentRules: false,
  devIndicators: false,
  images: { unoptimized: true },
  // `standalone`, for an image: what a page needs of node_modules is copied beside it.
  output: process.env.NEXT_OUTPUT === "standalone" ? "standalone" : undefined,
  outputFileTracingExcludes: { "/*": ["../node_modules/@img/**", "../node_modules/sharp/**"] },
  // Checked by `tsc -p web`, once, with everything else.
  typescript: { ignoreBuildErrors: true },
  turbopack: { root: fileURLToPath(new URL("..", import.meta.url)) },
  // Pages differ per viewer: nothing is worth a cache in this process.
  cacheMaxMemorySize: 0,
  async headers() {
    const headers = Object.entries(SECURITY_HEADERS).map(([key, value]) => ({ key, value }))
    return [{ source: "/:path*", headers }]
  },
}

export default config
