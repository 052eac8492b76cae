/** How many tests of a run came out how. */
export interface Counts {
  passed: number
  failed: number
  skipped: number
}

/** What a JUnit report says, and which files it says it of. */
export interface Report extends Counts {
  files: Set<string>
}

/**
 * Reads the JUnit XML that `bun test --reporter=junit` writes: the totals from its root element, the files from its test
 * cases.
 * @throws Error where it is no such report, as after a crash in the middle of writing it
 */
export function readReport(xml: string): Report {
  const root = /<testsuites\b[^>]*>/.exec(xml)?.[0]
  if (!root || !xml.trimEnd().endsWith("</testsuites>")) throw new Error("the report is cut off")
  const total = (name: string) => Number(new RegExp(`\\b${name}="(\\d+)"`).exec(root)?.[1] ?? 0)
  const failed = total("failures") + total("errors")
  const skipped = total("skipped")
  const files = new Set<string>()
  for (const [, file = ""] of xml.matchAll(/<testcase\b[^>]*\bfile="([^"]*)"/g)) {
    files.add(unescapeXml(file))
  }
  return { passed: total("tests") - failed - skipped, failed, skipped, files }
}

const entities: Record<string, string> = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" }

const unescapeXml = (text: string) =>
  text.replaceAll(/&(lt|gt|amp|quot|apos);/g, (_, name: string) => entities[name] ?? "")
