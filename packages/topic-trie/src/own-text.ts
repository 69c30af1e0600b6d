/** Cut from a longer text, a string holds on to all of it: a filter of 64 KB for a label of a few characters, after it is gone. */
export function ownText(text: string): string {
  const copy = Buffer.from(text).toString()
  // Lone surrogates have no UTF-8 form.
  return copy === text ? copy : text
}
