import type { Attack, Variant } from "../attack.ts"
import { Client } from "../client.ts"
import { Tally } from "../flood.ts"
import { PASSWORD, signUp } from "../people.ts"

const SIGN_UP = "mutation($input: SignUpInput!) { signUp(input: $input) { id username name } }"
const TITLE = "mutation($t: String!) { createGroup(title: $t, members: []) { id title } }"
const PROFILE = "mutation($n: String) { updateProfile(input: { name: $n }) { name } }"

/** What misleads a reader: reversed, broken over lines, invisible, or a terminal's command. */
const MISLEADING = {
  "an RTL override": "invoice\u202efdp.exe",
  "an isolate": "a\u2067b\u2069",
  "a line break": "Parley\nYour account is locked",
  "a line separator": "Parley\u2028Your account",
  "an escape": "\u001b[2Jhello",
  "zero width only": "\u200b\u200c\u200d",
  "a Hangul filler": "\u3164",
  "braille blank": "\u2800",
  "soft hyphens": "\u00ad\u00ad",
  "variation selectors": "\ufe0f\ufe0f",
  tags: "\u{e0041}\u{e0042}",
}

const RESERVED = [
  "admin",
  "support",
  "parley",
  "system",
  "administrator",
  "root",
  "security",
  "help",
]
const LOOKALIKE = ["аdmin", "pаrley", "ѕupport", "ａｄｍｉｎ", "ad\u200bmin", "раураl"]

const each = (
  name: string,
  values: [string, string][],
  query: string,
  variable: string,
): Variant => ({
  name,
  async run({ urls }) {
    const tally = new Tally()
    const { client } = await signUp(urls[0]!)
    for (const [what, value] of values) {
      const reply = await client.ask(query, { [variable]: value })
      tally.count(reply.code ?? "taken")
      // What is taken without what misleads is as good as refused.
      const taken =
        !reply.code && JSON.stringify(reply.data).includes(JSON.stringify(value).slice(1, -1))
      tally.expect(!taken, `${name} takes ${what}`)
    }
    return tally
  },
})

const usernames = (name: string, values: string[]): Variant => ({
  name,
  async run({ urls }) {
    const tally = new Tally()
    for (const username of values) {
      const reply = await new Client(urls[0]!).ask(SIGN_UP, {
        input: { username, password: PASSWORD },
      })
      tally.count(reply.code ?? "taken")
      tally.expect(!!reply.code, `a member can be called ${JSON.stringify(username)}`)
    }
    return tally
  },
})

export const names: Attack = {
  name: "names",
  by: "member",
  with: "titles and names with RTL overrides, line breaks, ESC or nothing visible; usernames such as `admin`",
  expected: "`BAD_INPUT`, or they are taken without what misleads",
  variants: [
    each("a title", Object.entries(MISLEADING), TITLE, "t"),
    each("a name", Object.entries(MISLEADING), PROFILE, "n"),
    usernames("usernames of the house", RESERVED),
    usernames("usernames that look like others", LOOKALIKE),
  ],
}
