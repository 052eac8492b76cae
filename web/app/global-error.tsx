"use client"

import "./globals.css"
import { Notice } from "../ui/notice.tsx"

export default function GlobalError() {
  return (
    <html lang="en">
      <body>
        <Notice
          title="That did not work"
          action={{ label: "Try again", onClick: () => location.reload() }}
        >
          Parley cannot be shown just now. Nothing you wrote is lost.
        </Notice>
      </body>
    </html>
  )
}
