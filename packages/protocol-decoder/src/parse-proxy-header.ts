import { parseVersion1, signature1 } from './proxy-version-1.ts'
import { parseVersion2, signature2 } from './proxy-version-2.ts'
import type { ProxyHeader } from './proxy-header.ts'

/** Longest header of version 2 that is read unless told otherwise, in bytes: addresses, and room for a TLS certificate's names. */
export const defaultMaximumHeader = 4096

/** The PROXY protocol header that the bytes begin with. `incomplete`: they may become one; undefined: they are something else.
 *
 * @param maximum bytes of the longest header of version 2; a longer one is refused as soon as its length is known
 * @throws DecodeError `PROXY_HEADER_INVALID`, `PROXY_HEADER_TOO_LARGE`
 * @see The PROXY protocol, versions 1 and 2, by HAProxy: §2.1, §2.2 */
export function parseProxyHeader(
  bytes: Buffer,
  maximum: number = defaultMaximumHeader,
): ProxyHeader | 'incomplete' | undefined {
  for (const [signature, parse] of formats) {
    const common = Math.min(bytes.length, signature.length)
    if (bytes.compare(signature, 0, common, 0, common) !== 0) continue
    return common < signature.length ? 'incomplete' : parse(bytes, maximum)
  }
  return undefined
}

const formats = [
  [signature1, parseVersion1],
  [signature2, parseVersion2],
] as const
