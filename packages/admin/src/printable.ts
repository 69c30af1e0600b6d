const longest = 300

/** What came from outside as one line of print: control characters, and those that change the direction of writing, become dots. */
export function printable(text: string): string {
  return text.slice(0, longest).replace(/[\p{C}\p{Zl}\p{Zp}]/gu, '.')
}
