const manyBytes = 65_536
const perLine = 16

/** Bytes of base64. */
export function bytesOf(base64: string): Uint8Array {
  return Uint8Array.from(atob(base64), character => character.charCodeAt(0))
}

/** How a payload can be shown. */
export type PayloadForm = 'text' | 'json' | 'hex'

/** The form that fits best. */
export function bestForm(bytes: Uint8Array): PayloadForm {
  const text = textOf(bytes)
  if (text === undefined) return 'hex'
  return jsonOf(text) === undefined ? 'text' : 'json'
}

/** The payload in a form; when it is not of that form, as text with signs for what is none. */
export function shownPayload(bytes: Uint8Array, form: PayloadForm): string {
  const some = bytes.subarray(0, manyBytes)
  const more = bytes.length > some.length ? `\n… ${bytes.length - some.length} more bytes` : ''
  if (form === 'hex') return hexOf(some) + more
  const text = new TextDecoder().decode(some)
  return (form === 'json' ? (jsonOf(text) ?? text) : text) + more
}

function textOf(bytes: Uint8Array): string | undefined {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    return /^[\n\r\t\u0020-\uffff]*$/.test(text) ? text : undefined
  } catch {
    return undefined
  }
}

function jsonOf(text: string): string | undefined {
  if (!/^\s*[[{"]/.test(text)) return undefined
  try {
    return JSON.stringify(JSON.parse(text), undefined, 2)
  } catch {
    return undefined
  }
}

function hexOf(bytes: Uint8Array): string {
  const lines: string[] = []
  for (let start = 0; start < bytes.length; start += perLine) {
    const part = [...bytes.subarray(start, start + perLine)]
    const digits = part.map(byte => byte.toString(16).padStart(2, '0')).join(' ')
    const signs = part.map(byte => (byte > 0x1f && byte < 0x7f ? String.fromCharCode(byte) : '.')).join('')
    lines.push(`${start.toString(16).padStart(6, '0')}  ${digits.padEnd(perLine * 3)} ${signs}`)
  }
  return lines.join('\n')
}
