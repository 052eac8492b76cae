import "@fontsource-variable/inter/wght.css"
import "./globals.css"
import type { Metadata, Viewport } from "next"
import { connection } from "next/server"
import type { ReactNode } from "react"

export const metadata: Metadata = {
  title: { default: "Parley", template: "%s · Parley" },
  description: "Talk with people you know.",
}

export const viewport: Viewport = {
  width: "device-width",
  initialScale: 1,
  viewportFit: "cover",
  interactiveWidget: "resizes-content",
  themeColor: [
    { media: "(prefers-color-scheme: light)", color: "#fffdfa" },
    { media: "(prefers-color-scheme: dark)", color: "#191b24" },
  ],
}

export default async function Layout({ children }: { children: ReactNode }) {
  // Every page is rendered per request: its scripts carry the nonce of that request's content policy.
  await connection()
  return (
    <html lang="en">
      <body>{children}</body>
    </html>
  )
}
