import { describe, expect, test } from "bun:test"
import { addressGroup, wideAddressGroup } from "@parley/platform/address-group.ts"
import { startParts } from "../test/parts.ts"
import { deviceName } from "./device.ts"
import { givenPassword, newPassword } from "./passwords.ts"
import { newName, profileChange } from "./profile.ts"
import { nameTerms } from "./search.ts"
import { newUsername } from "./usernames.ts"

const refuses = (field: string, attempt: () => unknown) => {
  try {
    attempt()
  } catch (error) {
    expect(error).toMatchObject({ code: "BAD_INPUT", details: { field } })
    return
  }
  throw new Error(`${field} was not refused`)
}

describe("usernames", () => {
  test("have one spelling", () => {
    expect(newUsername(" Alice_B.9 ")).toBe("alice_b.9")
    // The Kelvin sign has the lower case k.
    for (const name of [
      "\u212Aelvin",
      "al",
      "a b c",
      "ali\nce",
      "ali\0ce",
      "émile",
      "ａｌｉｃｅ",
    ]) {
      refuses("username", () => newUsername(name))
    }
  })

  test("part words by single dots, and have something to read", () => {
    expect(newUsername("a.b_c")).toBe("a.b_c")
    expect(newUsername("_alice_")).toBe("_alice_")
    for (const name of [".alice", "alice.", "a..b", "___", "._.", "..."]) {
      refuses("username", () => newUsername(name))
    }
  })

  test("do not speak for the installation, nor look as if they did", () => {
    for (const name of [
      ...[
        "admin",
        "Support",
        "parley",
        "SYSTEM",
        "parley_support",
        "admin.team",
        "all",
        "everyone",
      ],
      ...[
        "adm1n",
        "supp0rt",
        "par1ey",
        "pariey",
        "5ystem",
        "paRLey.5upport",
        "4dm1n",
        "p.a.r.l.e.y",
      ],
    ]) {
      refuses("username", () => newUsername(name))
    }
    for (const name of ["ali", "alison", "adminis", "teamwork", "supporter", "parley2", "owen"]) {
      expect(newUsername(name)).toBe(name)
    }
  })
})

describe("passwords", () => {
  test("are counted in characters and bounded in bytes", () => {
    expect(newPassword("password", "😀".repeat(10), "alice")).toBe("😀".repeat(10))
    refuses("password", () => newPassword("password", "😀".repeat(9), "alice"))
    expect(newPassword("password", "x".repeat(256), "alice")).toHaveLength(256)
    refuses("password", () => newPassword("password", "é".repeat(129), "alice"))
    refuses("current", () => givenPassword("current", "x".repeat(100_000)))
    refuses("current", () => givenPassword("current", ""))
  })

  test("may be anything else, but not the username or what everybody takes", () => {
    for (const fine of ['{"$gt":"",}', "__proto__ constructor", "          ", "пароль-пароль"]) {
      expect(newPassword("password", fine, "alice")).toBe(fine)
    }
    refuses("new", () => newPassword("new", "Alice.Liddell", "alice.liddell"))
    const common = [
      "qwertyuiop",
      "1234567890",
      "Password123",
      "ｐａｓｓｗｏｒｄ１２３",
      "BASKETBALL",
    ]
    for (const password of common) refuses("new", () => newPassword("new", password, "alice"))
  })
})

describe("profiles", () => {
  test("hold lines of text", () => {
    expect(newName("  Zoe\u0308 👩‍👩‍👧  ")).toBe("Zoë 👩‍👩‍👧")
    expect(newName("😀".repeat(64))).toBe("😀".repeat(64))
    for (const name of [
      "",
      "   ",
      "\u200B\u200B",
      "a\nb",
      "a\u202Eb",
      "a\u0000b",
      "a\u2028b",
      "\u3164",
      "\u2800",
      "P\u0430ypal",
      "\uD800",
      "x".repeat(65),
      "😀".repeat(65),
    ]) {
      refuses("name", () => newName(name))
    }
  })

  test("change by what is there, and null takes away", () => {
    expect(profileChange("alice", {})).toEqual({})
    expect(profileChange("alice", { name: null, about: null, avatarUrl: null })).toEqual({
      name: { name: "alice", terms: ["alice"] },
      about: null,
      avatarUrl: null,
    })
    expect(profileChange("alice", { about: "  " })).toEqual({ about: null })
    expect(profileChange("alice", { about: ` ${"x".repeat(500)} ` }).about).toHaveLength(500)
    refuses("about", () => profileChange("alice", { about: "x".repeat(501) }))
    refuses("about", () => profileChange("alice", { about: "one\ntwo" }))
  })

  test("have pictures from this site or over https, and from nowhere else", () => {
    for (const avatarUrl of ["https://img.example/a.png?x=1#y", "/files/a.png", "/"]) {
      expect(profileChange("alice", { avatarUrl })).toEqual({ avatarUrl })
    }
    for (const avatarUrl of [
      "",
      "a.png",
      "http://img.example/a.png",
      "//img.example/a.png",
      "/\\img.example/a.png",
      "/\t/img.example/a.png",
      "https:a.png",
      "https:///",
      "https://user:secret@img.example/",
      "javascript:alert(1)",
      "data:image/png;base64,AA",
      "https://img.example/\u0000",
      " https://img.example/",
      `https://img.example/${"x".repeat(2_048)}`,
    ]) {
      refuses("avatarUrl", () => profileChange("alice", { avatarUrl }))
    }
  })
})

describe("devices", () => {
  const chrome = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0"
  test.each([
    [`Mozilla/5.0 (X11; Linux x86_64) ${chrome} Safari/537.36`, "Chrome on Linux"],
    [`Mozilla/5.0 (Windows NT 10.0; Win64) ${chrome} Safari/537.36 Edg/130.0`, "Edge on Windows"],
    [
      `Mozilla/5.0 (Linux; Android 15; Pixel 9) ${chrome} Mobile Safari/537.36`,
      "Chrome on Android",
    ],
    [
      "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:132.0) Gecko/20100101 Firefox/132.0",
      "Firefox on Mac",
    ],
    [
      "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Mobile/15E148 Safari/604.1",
      "Safari on iPhone",
    ],
    [
      `Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) ${chrome} Safari/537.36 OPR/115.0`,
      "Opera on ChromeOS",
    ],
    ["curl/8.5.0", "curl"],
    ["", "Unknown device"],
    ["\u0000<script>", "Unknown device"],
  ])("are called after their User-Agent: %s", (userAgent, name) => {
    expect(deviceName(undefined, userAgent)).toBe(name)
    expect(deviceName("  ", userAgent)).toBe(name)
  })

  test("are called as their owner says", () => {
    expect(deviceName(" Alice's phone ", "curl/8.5.0")).toBe("Alice's phone")
    refuses("device", () => deviceName("x".repeat(65), ""))
    refuses("device", () => deviceName("a\u0007b", ""))
  })
})

test("addresses are counted as whoever holds them: IPv4 one by one, IPv6 by /64", () => {
  expect(addressGroup("203.0.113.7")).toBe("203.0.113.7")
  // An IPv4 address is one address in every spelling: else all that come through such a proxy would share one count.
  for (const mapped of [
    "::ffff:203.0.113.7",
    "::FFFF:203.0.113.7",
    "::ffff:cb00:7107",
    "0:0:0:0:0:ffff:203.0.113.7",
    "0000:0000:0000:0000:0000:ffff:cb00:7107",
    "0::ffff:203.0.113.7",
  ]) {
    expect(addressGroup(mapped)).toBe("203.0.113.7")
    expect(wideAddressGroup(mapped)).toBeUndefined()
  }
  for (const address of ["2001:db8::1", "2001:DB8:0:0:1:2:3:4", "2001:0db8::ffff:0:0:1"]) {
    expect(addressGroup(address)).toBe("2001:db8:0:0")
  }
  expect(addressGroup("::1")).toBe("0:0:0:0")
  expect(addressGroup("2001:db8:1:2::")).toBe("2001:db8:1:2")
  expect(addressGroup("fe80::1%eth0")).toBe("fe80:0:0:0")
  expect(wideAddressGroup("2001:db8:7:ffff::1")).toBe("2001:db8:7::/48")
  expect(wideAddressGroup("2001:db8:7:1::2")).toBe("2001:db8:7::/48")
  for (const address of ["203.0.113.7", "::ffff:203.0.113.7", "nonsense"]) {
    expect(wideAddressGroup(address)).toBeUndefined()
  }
  for (const address of ["", "unix:", "203.0.113.7, 10.0.0.1"]) {
    expect(addressGroup(address)).toBe("unknown")
  }
})

describe("a search", () => {
  const viewer = { user: "alice", session: "phone", expiresAt: Number.POSITIVE_INFINITY }

  test("knows a name from each of its words on", () => {
    expect(nameTerms("Ada  Lovelace-Byron")).toEqual([
      "ada lovelace-byron",
      "lovelace-byron",
      "byron",
    ])
    expect(nameTerms("(Zoë)")).toEqual(["(zoe)", "zoe)"])
    expect(nameTerms("日本 太郎")).toEqual(["日本 太郎", "太郎"])
  })

  test("answers usernames first, then names that begin with it, then names with such a word", async () => {
    await using parts = await startParts()
    const people: [string, string?][] = [
      ["word", "The Alistair"],
      ["name", "Alina Straße"],
      ["alison"],
      ["ali"],
      ["both.ali", "Ali Ali"],
      ["alias", "Ali too"],
      ["other", "Nobody"],
    ]
    for (const [username, name] of people) {
      const input = { username, password: "correct horse battery", name }
      await parts.accounts.signUp(input, { address: "", userAgent: "" })
    }
    const found = async (text: string, first = 20) =>
      (await parts.accounts.search(viewer, text, first)).map(({ username }) => username)
    expect(await found("ali")).toEqual(["ali", "alias", "alison", "both.ali", "name", "word"])
    expect(await found("  @ALI ")).toEqual(await found("ali"))
    expect(await found("ali", 2)).toEqual(["ali", "alias"])
    expect(await found("ali", 4)).toEqual(["ali", "alias", "alison", "both.ali"])
    expect(await found("alina s")).toEqual(["name"])
    expect(await found("Àlínä")).toEqual(["name"])
    expect(await found("istair")).toEqual([])
    for (const nothing of ["", "   ", "@", "%", "_", ".*", '{"$gt":""}', "*"]) {
      expect(await found(nothing)).toEqual([])
    }
    for (const first of [0, -1, 51, 1.5, Number.NaN]) {
      await expect(parts.accounts.search(viewer, "ali", first)).rejects.toMatchObject({
        code: "BAD_INPUT",
        details: { field: "first" },
      })
    }
    for (const text of ["x".repeat(65), "a\0", "\uD800"]) {
      await expect(parts.accounts.search(viewer, text, 1)).rejects.toMatchObject({
        code: "BAD_INPUT",
        details: { field: "search" },
      })
    }
  })
})
