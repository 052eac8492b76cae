import type { Metadata } from "next"
import { AuthForm } from "../../features/auth/auth-form.tsx"
import { AuthPage } from "../../features/auth/auth-page.tsx"
import { safeNext, withNext } from "../../features/auth/next.ts"
import { leaveIfSignedIn } from "../../server/viewer.ts"

export const metadata: Metadata = { title: "Create account" }

interface Props {
  searchParams: Promise<{ next?: unknown }>
}

export default async function SignUpPage({ searchParams }: Props) {
  const { next: asked } = await searchParams
  const next = safeNext(asked)
  await leaveIfSignedIn(next)
  return (
    <AuthPage
      title="Create your account"
      other={{ ask: "Have an account?", label: "Sign in", href: withNext("/sign-in", next) }}
    >
      <AuthForm kind="sign-up" next={next} />
    </AuthPage>
  )
}
