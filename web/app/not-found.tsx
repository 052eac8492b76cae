import { Notice } from "../ui/notice.tsx"

export default function NotFound() {
  return (
    <Notice title="There is nothing here" action={{ label: "Go to your chats", href: "/" }}>
      The address may be mistyped, or what it led to is gone.
    </Notice>
  )
}
