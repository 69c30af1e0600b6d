/** Characters of a text that are shown unless told otherwise. */
const longestShown = 512

/** Control characters (C0, C1), marks that turn the direction or have no width, separators of lines, lone surrogates: each of them can
 * make a terminal or a reader show something else than what is there. */
const unprintable = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu

/** A text that may have come from the wire as one line that is safe to print: what would steer a terminal or break the line is
 * written as `\u{…}`, and the text is cut, its length named.
 * @param longest characters that are kept */
export function printable(text: string, longest: number = longestShown): string {
  const kept = text.length > longest ? text.slice(0, longest) : text
  const shown = kept.replaceAll(unprintable, character => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`)
  return kept === text ? shown : `${shown}… (${text.length} characters)`
}
