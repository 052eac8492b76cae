import type { Conversation, Entry } from "../../live/model.ts"
import { isolated } from "../../live/names.ts"

/** A change of the members, in words for this viewer. */
export function changeText(
  { seq, by, joined, left, promoted, demoted }: Extract<Entry, { kind: "members" }>,
  kind: Conversation["kind"],
  viewer: string,
  nameOf: (user: string) => string,
): string {
  const subject = (user: string) => (user === viewer ? "You" : isolated(nameOf(user)))
  const object = (users: string[]) =>
    listOf(users.map((user) => (user === viewer ? "you" : isolated(nameOf(user)))))
  if (kind === "DIRECT") return "This is the beginning of your conversation"
  if (seq === 1) return `${subject(by)} created the group`
  const others = joined.filter((user) => user !== by)
  const texts: string[] = []
  if (joined.includes(by)) texts.push(`${subject(by)} joined`)
  if (others.length) texts.push(`${subject(by)} added ${object(others)}`)
  if (left.includes(by)) texts.push(`${subject(by)} left`)
  const removed = left.filter((user) => user !== by)
  if (removed.length) texts.push(`${subject(by)} removed ${object(removed)}`)
  for (const user of promoted) texts.push(`${subject(user)} ${be(user)} now an admin`)
  for (const user of demoted) texts.push(`${subject(user)} ${be(user)} no longer an admin`)
  return texts.join(" · ")

  function be(user: string) {
    return user === viewer ? "are" : "is"
  }
}

const listOf = (names: string[]) =>
  names.length > 5
    ? `${names.length} people`
    : new Intl.ListFormat("en", { type: "conjunction" }).format(names)
