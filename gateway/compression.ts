import { promisify } from "node:util"
import { brotliCompress, constants, gzip } from "node:zlib"
import { BROTLI_UP_TO, COMPRESS_FROM, MAX_COMPRESSING } from "./limits.ts"

export type Encoding = "br" | "gzip"

const brotli = promisify(brotliCompress)
const zip = promisify<Uint8Array, { level: number }, Buffer>(gzip)

/** Level 1 of brotli packs like level 5 of gzip, in less time. */
const BROTLI = {
  params: {
    [constants.BROTLI_PARAM_QUALITY]: 1,
    [constants.BROTLI_PARAM_MODE]: constants.BROTLI_MODE_TEXT,
  },
}
const GZIP = { level: 1 }

let compressing = 0

/** How to send a text to a client; undefined: as it is, because it is short, or the client takes nothing else. */
export function encodingFor(request: Request, text: string): Encoding | undefined {
  if (text.length < COMPRESS_FROM || compressing >= MAX_COMPRESSING) return undefined
  const taken = accepted(request.headers.get("accept-encoding") ?? "")
  if (taken.has("br") && text.length <= BROTLI_UP_TO) return "br"
  return taken.has("gzip") ? "gzip" : taken.has("br") ? "br" : undefined
}

/** Compresses on a thread of the runtime's own: the gateway's thread only hands the text over. */
export async function compress(text: string, encoding: Encoding): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = Buffer.from(text)
  compressing++
  try {
    const packed = await (encoding === "br" ? brotli(bytes, BROTLI) : zip(bytes, GZIP))
    return new Uint8Array(packed)
  } finally {
    compressing--
  }
}

/** The encodings that a client takes (RFC 9110 §12.5.3), those with a weight of 0 left out. */
function accepted(header: string): Set<string> {
  const taken = new Set<string>()
  for (const one of header.split(",")) {
    const [name = "", ...parameters] = one.split(";").map((part) => part.trim().toLowerCase())
    if (!parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter))) taken.add(name)
  }
  return taken
}
