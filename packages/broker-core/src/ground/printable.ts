/** Characters of a text that are shown by default. */
const longestShown = 512

/** Control characters (C0, C1), direction and zero-width marks, line separators, lone surrogates: each can make a terminal show
 * something else than the text. */
const unprintable = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu

/** Returns a text from the wire as one line that is safe to print: characters that could control a terminal or break the line become
 * `\u{…}`, and a long text is cut, with its length.
 * @param longest characters that are kept */
export function printable(text: string, longest: number = longestShown): string {
  const kept = text.length > longest ? text.slice(0, longest) : text
  const shown = kept.replaceAll(unprintable, character => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`)
  return kept === text ? shown : `${shown}… (${text.length} characters)`
}
