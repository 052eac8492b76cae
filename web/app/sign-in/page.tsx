import type { Metadata } from "next"
import { AuthForm } from "../../features/auth/auth-form.tsx"
import { AuthPage } from "../../features/auth/auth-page.tsx"
import { leaveIfSignedIn } from "../../server/viewer.ts"

export const metadata: Metadata = { title: "Sign in" }

export default async function SignInPage() {
  await leaveIfSignedIn()
  return (
    <AuthPage
      title="Welcome back"
      other={{ ask: "New here?", label: "Create an account", href: "/sign-up" }}
    >
      <AuthForm kind="sign-in" />
    </AuthPage>
  )
}
