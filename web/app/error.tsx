"use client"

import { Notice } from "../ui/notice.tsx"

export default function ErrorPage() {
  return (
    <Notice
      title="That did not work"
      action={{ label: "Try again", onClick: () => location.reload() }}
    >
      Parley cannot be reached just now. Nothing you wrote is lost.
    </Notice>
  )
}
