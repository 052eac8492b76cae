import type { Metadata } from "next"
import { AuthForm } from "../../features/auth/auth-form.tsx"
import { AuthPage } from "../../features/auth/auth-page.tsx"
import { leaveIfSignedIn } from "../../server/viewer.ts"

export const metadata: Metadata = { title: "Create account" }

export default async function SignUpPage() {
  await leaveIfSignedIn()
  return (
    <AuthPage
      title="Create your account"
      other={{ ask: "Have an account?", label: "Sign in", href: "/sign-in" }}
    >
      <AuthForm kind="sign-up" />
    </AuthPage>
  )
}
