import { decodeProperties } from '@x/packet'

/** Where a message stands in the trace of its publisher. W3C Trace Context §3.2, §3.3 */
export interface TraceContext {
  /** 32 hexadecimal digits. */
  readonly traceId: string
  /** 16 hexadecimal digits: the publisher's span. */
  readonly spanId: string
  /** One byte; bit 0: the publisher's span is recorded. */
  readonly traceFlags: number
  readonly traceState: string | undefined
}

const needle = Buffer.from('traceparent')
/** Characters of `traceparent` in version 00. Later versions may have more. */
const length = 55
/** Characters of a later version's `traceparent`, and of `tracestate`, that are read: W3C Trace Context §3.3.1.5. */
const longest = 512

/** The trace context in the properties of a PUBLISH, in wire form: its user properties `traceparent` and `tracestate`. Undefined: there is
 * none, or none that W3C Trace Context allows, or more than one. */
export function traceContextOf(properties: Uint8Array): TraceContext | undefined {
  const wire = Buffer.from(properties.buffer, properties.byteOffset, properties.length)
  // Of most messages this is all that is done.
  if (wire.indexOf(needle) === -1) return undefined
  const { userProperties } = decodeProperties(wire, 0, wire.length, 'publish')
  const parent = userProperties?.['traceparent']
  if (typeof parent !== 'string' || !isTraceParent(parent)) return undefined
  const [traceId, spanId, flags] = [parent.slice(3, 35), parent.slice(36, 52), parent.slice(53, 55)]
  if (isZero(traceId) || isZero(spanId)) return undefined
  const state = [userProperties?.['tracestate'] ?? ''].flat().join(',')
  const traceState = state === '' || state.length > longest ? undefined : state
  return { traceId, spanId, traceFlags: Number.parseInt(flags, 16), traceState }
}

/** `00-` 32 digits `-` 16 digits `-` 2 digits, and in later versions `-` and whatever follows. */
function isTraceParent(text: string): boolean {
  if (text.length < length || text.length > longest) return false
  if (text.length > length && (text.startsWith('00') || text[length] !== '-')) return false
  if (text.startsWith('ff')) return false
  for (let index = 0; index < length; index += 1) {
    const isDash = index === 2 || index === 35 || index === 52
    if (isDash ? text[index] !== '-' : !isDigit(text.charCodeAt(index))) return false
  }
  return true
}

/** 0 to 9, a to f: capitals are not allowed. */
function isDigit(code: number): boolean {
  return (code >= 0x30 && code <= 0x39) || (code >= 0x61 && code <= 0x66)
}

function isZero(digits: string): boolean {
  return Number.parseInt(digits, 16) === 0
}
