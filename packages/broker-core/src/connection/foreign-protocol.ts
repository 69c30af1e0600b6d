const space = 0x20

/** What a peer speaks whose first bytes are no CONNECT, as far as they show it: so that the log names what somebody has sent here by
 * mistake. Of the bytes only the first few are looked at. */
export function foreignProtocol(bytes: Uint8Array): string | undefined {
  // Handshake, and the major version that all of them have. RFC 8446 §5.1
  if (bytes[0] === 0x16 && bytes[1] === 0x03) return 'a TLS handshake'
  if (startsWith(bytes, [0x0d, 0x0a, 0x0d, 0x0a, 0x00])) return proxyHeader
  const word = firstWord(bytes)
  if (word === 'PROXY') return proxyHeader
  return word === undefined ? undefined : 'an HTTP request'
}

const proxyHeader = 'a PROXY header, which trustProxy lets come before CONNECT,'

/** Capital letters, as the methods of HTTP are, and the space behind them. */
function firstWord(bytes: Uint8Array): string | undefined {
  let word = ''
  for (const byte of bytes.subarray(0, 10)) {
    if (byte === space) return word.length > 2 ? word : undefined
    if (byte < 0x41 || byte > 0x5a) return undefined
    word += String.fromCharCode(byte)
  }
  return undefined
}

function startsWith(bytes: Uint8Array, beginning: readonly number[]): boolean {
  return beginning.every((byte, index) => bytes[index] === byte)
}
