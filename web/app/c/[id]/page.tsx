import { Chat } from "../../../features/shell/chat.tsx"
import { loadSeed } from "../../../server/seed.ts"

export default async function ConversationPage({ params }: { params: Promise<{ id: string }> }) {
  return <Chat seed={await loadSeed((await params).id)} />
}
