/** What every client asks, whatever it is for. */
export const SIGN_UP = "mutation($input: SignUpInput!) { signUp(input: $input) { id } }"
export const SIGN_IN = "mutation($input: SignInInput!) { signIn(input: $input) { id } }"
export const REFRESH = "mutation { refreshSession { id } }"
export const START_DIRECT = "mutation($user: ID!) { startDirect(user: $user) { id } }"
export const CREATE_GROUP =
  "mutation($title: String!, $members: [ID!]!) { createGroup(title: $title, members: $members) { id } }"
export const SEND = "mutation($input: SendMessageInput!) { sendMessage(input: $input) { id seq } }"
