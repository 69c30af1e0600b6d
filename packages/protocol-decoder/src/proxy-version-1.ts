import { isIPv4, isIPv6 } from 'node:net'
import { DecodeError } from './decode-error.ts'
import type { Endpoint, ProxyHeader } from './proxy-header.ts'

/** First bytes of a header of version 1. */
export const signature1: Buffer = Buffer.from('PROXY ')

/** Bytes with the line's end. §2.1 */
const longestLine = 107
const greatestPort = 65_535

/** A header in words: `PROXY TCP4 192.0.2.1 198.51.100.1 56324 1883\r\n`. */
export function parseVersion1(bytes: Buffer): ProxyHeader | 'incomplete' {
  const end = bytes.subarray(0, longestLine).indexOf('\r\n')
  if (end < 0) {
    if (bytes.length < longestLine) return 'incomplete'
    throw new DecodeError(
      'PROXY_HEADER_TOO_LARGE',
      `PROXY header of version 1 does not end within ${longestLine} bytes`,
    )
  }
  const words = bytes.toString('latin1', signature1.length, end).split(' ')
  const header = { version: 1, tlvs: [], length: end + 2 } as const
  const [family] = words
  if (family === 'UNKNOWN') return { ...header, source: undefined, destination: undefined }
  if (family !== 'TCP4' && family !== 'TCP6') throw invalid(`has the protocol '${shown(family)}'`)
  if (words.length !== 5) throw invalid(`has ${words.length} words, it must have 5`)
  const [, source = '', destination = '', sourcePort = '', destinationPort = ''] = words
  const isAddress = family === 'TCP4' ? isIPv4 : isIPv6
  return {
    ...header,
    source: endpoint(source, sourcePort, isAddress),
    destination: endpoint(destination, destinationPort, isAddress),
  }
}

function endpoint(address: string, port: string, isAddress: (text: string) => boolean): Endpoint {
  // A zone names an interface of whoever wrote it.
  if (!isAddress(address) || address.includes('%')) throw invalid(`has the address '${shown(address)}'`)
  const number = Number(port)
  // Digits only, and as they are written: no sign, no leading zero, no exponent.
  if (String(number) !== port || !Number.isInteger(number) || number < 0 || number > greatestPort) {
    throw invalid(`has the port '${shown(port)}'`)
  }
  return { address, port: number }
}

function invalid(problem: string): DecodeError {
  return new DecodeError('PROXY_HEADER_INVALID', `PROXY header of version 1 ${problem}`)
}

/** Nothing from the wire goes into a message as it is. */
function shown(text: string | undefined): string {
  return JSON.stringify(text ?? '').slice(1, -1)
}
