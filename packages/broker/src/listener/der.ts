/** A value of DER: its tag, its content, and both with the length between them. */
export interface DerElement {
  readonly tag: number
  readonly content: Buffer
  readonly whole: Buffer
}

/** Tags that certificates and their revocation lists have. */
export const derTags = { boolean: 0x01, integer: 0x02, utcTime: 0x17, generalizedTime: 0x18, extensions: 0xa0 } as const

/** The values that stand one after the other.
 * @throws RangeError for what is cut off */
export function derElements(bytes: Buffer): DerElement[] {
  const elements: DerElement[] = []
  for (let at = 0; at < bytes.length;) {
    const first = bytes[at + 1] ?? 0
    const lengthBytes = first < 0x80 ? 0 : first & 0x7f
    const start = at + 2 + lengthBytes
    if (lengthBytes > 4 || first === 0x80 || start > bytes.length) throw new RangeError('it is damaged')
    const end = start + (lengthBytes === 0 ? first : bytes.readUIntBE(at + 2, lengthBytes))
    if (end > bytes.length) throw new RangeError('it is cut off')
    elements.push({ tag: bytes[at] ?? 0, content: bytes.subarray(start, end), whole: bytes.subarray(at, end) })
    at = end
  }
  return elements
}

/** The one at a place.
 * @throws RangeError when there is none */
export function derAt(elements: readonly DerElement[], index: number): DerElement {
  const element = elements[index]
  if (element === undefined) throw new RangeError('it is incomplete')
  return element
}
