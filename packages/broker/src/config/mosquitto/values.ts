/** What a directive's value may be, as Mosquitto reads it. */
export type ValueKind =
  | { readonly kind: 'flag' }
  | { readonly kind: 'whole'; readonly least: number; readonly greatest: number }
  | { readonly kind: 'word'; readonly words: readonly string[] }
  /** One word; what stands behind it counts for nothing. */
  | { readonly kind: 'name' }
  /** The rest of the line. */
  | { readonly kind: 'text' }

/** What a directive may be set to. */
export type Value = string | number | boolean

const flags: Readonly<Record<string, boolean>> = { true: true, '1': true, false: false, '0': false }
const longestText = 65_535
const intRange = { least: -2_147_483_648, greatest: 2_147_483_647 } as const

/** @param rest the line behind the directive
 * @throws RangeError what it must be */
export function readValue(kind: ValueKind, rest: string): Value {
  if (kind.kind === 'text') {
    const text = rest.trim()
    if (text === '') throw new RangeError('has no value')
    if (Buffer.byteLength(text) > longestText) throw new RangeError(`has more than ${longestText} bytes`)
    if (text.includes('\uFFFD')) throw new RangeError('is no UTF-8')
    return text
  }
  const word = rest.split(' ').find(one => one !== '') ?? ''
  if (word === '') throw new RangeError('has no value')
  switch (kind.kind) {
    case 'flag': {
      const flag = Object.hasOwn(flags, word) ? flags[word] : undefined
      if (flag === undefined) throw new RangeError(`is '${word}', it must be true or false`)
      return flag
    }
    case 'name':
      return word
    case 'word':
      if (kind.words.includes(word)) return word
      throw new RangeError(`is '${word}', it must be ${kind.words.join(', ')}`)
    default:
      return wholeOf(word, kind)
  }
}

/** As C writes numbers: decimal, `0x` hexadecimal, a leading 0 octal. */
export function wholeOf(word: string, { least, greatest }: { least: number; greatest: number } = intRange): number {
  const found = /^([+-]?)(0x[\da-f]+|\d+)$/i.exec(word)
  const [, sign, digits = ''] = found ?? []
  const isOctal = /^0[0-7]+$/.test(digits)
  const number = (sign === '-' ? -1 : 1) * (isOctal ? Number.parseInt(digits, 8) : Number(digits))
  if (found === null || /^0\d*[89]/.test(digits) || number < least || number > greatest) {
    throw new RangeError(`is '${word}', it must be a whole number from ${least} to ${greatest}`)
  }
  return number
}
