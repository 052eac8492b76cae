/**
 * Whether a text has more bytes in UTF-8 than that. A character of JavaScript's has one to three, so most texts need not
 * be counted.
 */
export function isLongerThan(text: string, bytes: number): boolean {
  if (text.length > bytes) return true
  return text.length * 3 > bytes && Buffer.byteLength(text) > bytes
}
