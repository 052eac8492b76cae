import { Chat } from "../features/shell/chat.tsx"
import { loadSeed } from "../server/seed.ts"

export default async function HomePage() {
  return <Chat seed={await loadSeed()} />
}
