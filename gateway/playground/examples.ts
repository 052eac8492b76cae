export interface Example {
  query: string
  variables?: string
}

/** The tabs that the playground opens with: the way from an account to a message that arrives, in order. */
export const examples = (newId: () => string): Example[] => [
  {
    query: `# 1. An account. It signs you in: from now on
# every tab is you. A private window is
# somebody else.
mutation SignUp($input: SignUpInput!) {
  signUp(input: $input) {
    id
    username
    name
  }
}
`,
    variables: json({
      input: { username: "alice", password: "ten characters or more", name: "Alice" },
    }),
  },
  {
    query: `# 2. Or sign in to an account you have.
mutation SignIn($input: SignInInput!) {
  signIn(input: $input) {
    id
    username
  }
}
`,
    variables: json({ input: { username: "alice", password: "ten characters or more" } }),
  },
  {
    query: `# 3. What happens, as it happens. Let it run
# and go on in another window.
subscription Events($after: [PositionInput!]) {
  events(after: $after) {
    __typename
    ... on Ready {
      recovered
    }
    ... on LogEvent {
      seq
      at
      conversation {
        id
      }
      by {
        name
      }
    }
    ... on MessageSent {
      message {
        id
        text
      }
    }
    ... on ReceiptMoved {
      user {
        name
      }
      delivered
      read
    }
  }
}
`,
  },
  {
    query: `# 4. Somebody to talk to. The id that you find
# is what the next tab wants.
query People {
  me {
    id
    name
  }
  users(search: "b") {
    id
    username
    name
  }
}
`,
  },
  {
    query: `# 5. Starts the chat, or finds the one there is.
mutation StartChat($user: ID!) {
  startDirect(user: $user) {
    id
    members {
      edges {
        node {
          user {
            name
          }
        }
      }
    }
  }
}
`,
    variables: json({ user: "the id of a user" }),
  },
  {
    query: `# 6. A message. Its id, a UUIDv7, is yours to
# choose: sending it again is safe.
mutation Send($input: SendMessageInput!) {
  sendMessage(input: $input) {
    id
    seq
    status
    sender {
      name
    }
  }
}
`,
    variables: json({
      input: { id: newId(), conversation: "the id of a conversation", text: "Hello!" },
    }),
  },
  {
    query: `# 7. What you have.
query Conversations {
  conversations(first: 10) {
    edges {
      node {
        id
        title
        unreadCount
        messages(last: 5) {
          edges {
            node {
              seq
              text
              sender {
                name
              }
            }
          }
        }
      }
    }
  }
}
`,
  },
]

const json = (value: unknown) => JSON.stringify(value, undefined, 2)
