import { expect, test } from "bun:test"
import fc from "fast-check"
import { lineOfText, mixesLookalikes, shownLine } from "./names.ts"
import { NICKNAME_VECTORS, rowOf } from "./names.vectors.ts"

const SENTENCES = {
  invisible: /Invisible/,
  marks: /marks/,
  nothing: /something to read/,
  long: /At most 64/,
  malformed: /Unicode|NUL/,
}

test.each(NICKNAME_VECTORS.map((vector) => [vector.what, vector] as const))(
  "a nickname: %s",
  (_what, { given, becomes, refused }) => {
    const attempt = () => lineOfText("name", given, 64, "nickname")
    if (becomes !== undefined) {
      expect(attempt()).toBe(becomes)
      return
    }
    expect(attempt).toThrow(SENTENCES[refused!])
    expect(attempt).toThrow(
      expect.objectContaining({ code: "BAD_INPUT", details: { field: "name" } }),
    )
  },
)

test("a freeform line keeps the forms that a nickname folds", () => {
  expect(lineOfText("about", " ½ off™,  Zoe\u0308 ", 500)).toBe("½ off™,  Zoë")
  expect(() => lineOfText("about", "one\ntwo", 500)).toThrow(/Invisible/)
})

test("what was accepted is accepted again as it is, and shown as it is", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string({ unit: "grapheme" }),
        fc.string({ unit: "binary" }),
        // What comes together once a selector between them is gone.
        fc.string({
          unit: fc.constantFrom(
            ..."ae \ufe0f\ufe0e\u0301\u0308\u00a8\u3000\u20e31❤👩\u200d™م\u0653",
          ),
        }),
      ),
      fc.constantFrom("nickname", "freeform"),
      (given, kind) => {
        let stored: string
        try {
          stored = lineOfText("name", given, 64, kind as "nickname")
        } catch {
          return
        }
        expect(lineOfText("name", stored, 64, kind as "nickname")).toBe(stored)
        expect(shownLine(stored, "?")).toBe(stored)
      },
    ),
    { numRuns: 2_000 },
  )
})

test("what is shown has no control of any kind, whatever was stored", () => {
  const control = /[\p{Cc}\p{Zl}\p{Zp}\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069]/u
  const text = fc.string({
    unit: fc.oneof(
      fc.constantFrom("\u202e", "\n", "\u001b", "\u200b", "\u3164", "\u2067", "\u200d", "a", "😀"),
      fc.string({ minLength: 1, maxLength: 1, unit: "binary" }),
    ),
  })
  fc.assert(
    fc.property(text, (stored) => {
      const shown = shownLine(stored, "Group")
      expect(control.test(shown)).toBe(false)
      expect(shown).not.toBe("")
    }),
    { numRuns: 2_000 },
  )
  expect(shownLine("a\u202eb\nc", "?")).toBe("ab c")
  expect(shownLine("\u200b\u3164", "Group")).toBe("Group")
  expect(shownLine("می\u200cخواهم 👩‍👩‍👧", "?")).toBe("می\u200cخواهم 👩‍👩‍👧")
})

test("a word of two alphabets that look alike is told from honest ones", () => {
  for (const fake of ["P\u0430ypal", "\u0410lice", "hell\u03bf world"]) {
    expect(mixesLookalikes(fake)).toBe(true)
  }
  for (const honest of [
    "Alice",
    "Алиса Smith",
    "Ωmega-1".replace("Ω", "O"),
    "渋谷Tokyo",
    "Zoë",
    "Δ team",
  ]) {
    expect(mixesLookalikes(honest)).toBe(false)
  }
})

test("docs/names.md shows every vector", async () => {
  const page = await Bun.file(`${import.meta.dir}/../docs/names.md`).text()
  const missing = NICKNAME_VECTORS.filter((vector) => !page.includes(rowOf(vector)))
  expect(missing.map(rowOf)).toEqual([])
})
