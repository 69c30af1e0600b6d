import { crc32c } from './crc32c.ts'
import { DecodeError } from './decode-error.ts'
import type { Endpoint, ProxyHeader, Tlv } from './proxy-header.ts'
import { readTlsValue, typeTls } from './tls-value.ts'

/** First bytes of a header of version 2. */
export const signature2: Buffer = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')

/** Signature, version and command, family, length. */
const fixedLength = 16
const commandLocal = 0
const commandProxy = 1
const familyUnspecified = 0
const familyInet = 1
const familyInet6 = 2
const familyUnix = 3
const transportStream = 1
/** Bytes of both ends, by family. */
const endsLength: Readonly<Record<number, number>> = { [familyInet]: 12, [familyInet6]: 36, [familyUnix]: 216 }

const typeChecksum = 0x03
const typeUniqueId = 0x05
/** Bytes. §2.2.5 */
const longestUniqueId = 128

/** A binary header. */
export function parseVersion2(bytes: Buffer, maximum: number): ProxyHeader | 'incomplete' {
  if (bytes.length < fixedLength) return 'incomplete'
  const length = fixedLength + bytes.readUInt16BE(14)
  if (length > maximum) {
    throw new DecodeError('PROXY_HEADER_TOO_LARGE', `PROXY header of ${length} bytes, the limit is ${maximum}`)
  }
  const [version, command] = nibbles(bytes[12])
  if (version !== 2) throw invalid(`has the version ${version}`)
  if (command !== commandLocal && command !== commandProxy) throw invalid(`has the command ${command}`)
  if (bytes.length < length) return 'incomplete'
  const [family, transport] = nibbles(bytes[13])
  if (family > familyUnix || transport > 2) throw invalid(`has the address family ${family} and transport ${transport}`)
  const ends = endsLength[family] ?? 0
  const header = Buffer.from(bytes.subarray(0, length))
  // What stands there for an unspecified family is not for us to understand.
  if (command === commandLocal || family === familyUnspecified) {
    return { version: 2, source: undefined, destination: undefined, tlvs: [], length }
  }
  if (fixedLength + ends > length) throw invalid(`is too short for its addresses: ${length} bytes`)
  const tlvs = readTlvs(header, fixedLength + ends)
  const known = transport === transportStream && family !== familyUnix
  const size = family === familyInet ? 4 : 16
  const ports = fixedLength + 2 * size
  return {
    version: 2,
    source: known ? endpoint(header, fixedLength, size, ports) : undefined,
    destination: known ? endpoint(header, fixedLength + size, size, ports + 2) : undefined,
    tlvs,
    length,
  }
}

function endpoint(header: Buffer, at: number, size: number, portAt: number): Endpoint {
  const bytes = header.subarray(at, at + size)
  return { address: size === 4 ? bytes.join('.') : ipv6(bytes), port: header.readUInt16BE(portAt) }
}

/** In the form of RFC 5952, which the URL parser knows. */
function ipv6(bytes: Buffer): string {
  const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(2 * index).toString(16))
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1)
}

function readTlvs(header: Buffer, start: number): Tlv[] {
  const tlvs: Tlv[] = []
  for (let position = start; position < header.length;) {
    if (position + 3 > header.length) throw invalid('ends within an additional value')
    const type = header[position] as number
    const from = position + 3
    const end = from + header.readUInt16BE(position + 1)
    if (end > header.length) throw invalid(`has an additional value of type ${type} that reaches beyond it`)
    const value = header.subarray(from, end)
    if (type === typeChecksum) check(header, from, end)
    if (type === typeUniqueId && value.length > longestUniqueId) {
      throw invalid(`has an identifier of ${value.length} bytes, the limit is ${longestUniqueId}`)
    }
    if (type === typeTls) {
      if (tlvs.some(before => before.type === typeTls)) throw invalid('has two TLS values')
      readTlsValue(value)
    }
    tlvs.push({ type, value })
    position = end
  }
  return tlvs
}

/** The checksum is of the whole header with zeros in its place. §2.2.4 */
function check(header: Buffer, from: number, end: number): void {
  if (end - from !== 4) throw invalid(`has a checksum of ${end - from} bytes`)
  const blank = Buffer.from(header).fill(0, from, end)
  if (crc32c(blank) !== header.readUInt32BE(from)) throw invalid('has a checksum that does not fit it')
}

function nibbles(byte: number | undefined): [high: number, low: number] {
  return [(byte ?? 0) >> 4, (byte ?? 0) & 0x0f]
}

function invalid(problem: string): DecodeError {
  return new DecodeError('PROXY_HEADER_INVALID', `PROXY header of version 2 ${problem}`)
}
