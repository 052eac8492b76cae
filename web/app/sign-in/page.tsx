import type { Metadata } from "next"
import { AuthForm } from "../../features/auth/auth-form.tsx"
import { AuthPage } from "../../features/auth/auth-page.tsx"
import { safeNext, withNext } from "../../features/auth/next.ts"
import { SignedOut } from "../../features/auth/signed-out.tsx"
import { leaveIfSignedIn } from "../../server/viewer.ts"

export const metadata: Metadata = { title: "Sign in" }

interface Props {
  searchParams: Promise<{ next?: unknown; ended?: unknown }>
}

export default async function SignInPage({ searchParams }: Props) {
  const { next: asked, ended } = await searchParams
  const next = safeNext(asked)
  const visitor = await leaveIfSignedIn(next)
  return (
    <AuthPage
      title="Welcome back"
      other={{ ask: "New here?", label: "Create an account", href: withNext("/sign-up", next) }}
    >
      <SignedOut visitor={visitor} ended={ended !== undefined} next={next} />
      <AuthForm kind="sign-in" next={next} />
    </AuthPage>
  )
}
