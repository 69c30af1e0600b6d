const PREFIX = '$share/'

/** Where the parts of a Shared Subscription are, as character offsets; undefined unless it begins with `$share/`.
 * Not checked: the name may be empty and `filterStart` may lie at or behind the end. */
export function shareBounds(text: string): ShareBounds | undefined {
  if (!text.startsWith(PREFIX)) return undefined
  const slash = text.indexOf('/', PREFIX.length)
  const nameEnd = slash < 0 ? text.length : slash
  return { nameStart: PREFIX.length, nameEnd, filterStart: nameEnd + 1 }
}

/** Character offsets into a Shared Subscription. */
export interface ShareBounds {
  readonly nameStart: number
  readonly nameEnd: number
  readonly filterStart: number
}
