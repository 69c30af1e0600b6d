import { isUtf8 } from 'node:buffer'
import { DecodeError } from './decode-error.ts'

/** PP2_TYPE_SSL. §2.2.6 */
export const typeTls = 0x20

/** A byte of flags, four of the verification's result. */
const fixedLength = 5
const flagTls = 0x01
/** The client showed a certificate, on this connection or earlier in its TLS session. */
const flagsCertificate = 0x06
const verified = 0
const subtypeCommonName = 0x22

/** What a proxy says of the TLS that ended at it. */
export interface TlsValue {
  readonly used: boolean
  /** The client showed a certificate that the proxy verified. */
  readonly certificate: boolean
  /** Of the certificate that the client showed and the proxy verified. */
  readonly commonName: string | undefined
}

/** Reads the value of PP2_TYPE_SSL.
 * @throws DecodeError `PROXY_HEADER_INVALID` when it is too short, a sub-value does not fit into it, or a name can't be one */
export function readTlsValue(value: Buffer): TlsValue {
  if (value.length < fixedLength) throw invalid(`of ${value.length} bytes, at least ${fixedLength} are needed`)
  const flags = value.readUInt8(0)
  const shown = (flags & flagTls) !== 0 && (flags & flagsCertificate) !== 0 && value.readUInt32BE(1) === verified
  let commonName: string | undefined
  for (let position = fixedLength; position < value.length;) {
    if (position + 3 > value.length) throw invalid('that ends within a sub-value')
    const type = value.readUInt8(position)
    const end = position + 3 + value.readUInt16BE(position + 1)
    if (end > value.length) throw invalid(`with a sub-value of type ${type} that reaches beyond it`)
    if (type === subtypeCommonName) {
      if (commonName !== undefined) throw invalid('with two Common Names')
      commonName = nameIn(value.subarray(position + 3, end))
    }
    position = end
  }
  return { used: (flags & flagTls) !== 0, certificate: shown, commonName: shown ? commonName : undefined }
}

/** A name decides who somebody is, so two that differ must not become one by replaced bytes or a hidden end. */
function nameIn(bytes: Buffer): string {
  if (!isUtf8(bytes) || bytes.includes(0)) throw invalid('whose Common Name is not UTF-8 without NUL')
  return bytes.toString()
}

function invalid(problem: string): DecodeError {
  return new DecodeError('PROXY_HEADER_INVALID', `PROXY header of version 2 has a TLS value ${problem}`)
}
