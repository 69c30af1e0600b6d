const space = 0x20

/** Names the protocol of a peer whose first bytes are not a CONNECT, if they show it, so that the log tells what was sent here by
 * mistake. Only the first few bytes are read. */
export function foreignProtocol(bytes: Uint8Array): string | undefined {
  // A handshake record, and the major version of all TLS versions. RFC 8446 §5.1
  if (bytes[0] === 0x16 && bytes[1] === 0x03) return 'a TLS handshake'
  if (startsWith(bytes, [0x0d, 0x0a, 0x0d, 0x0a, 0x00])) return proxyHeader
  const word = firstWord(bytes)
  if (word === 'PROXY') return proxyHeader
  return word === undefined ? undefined : 'an HTTP request'
}

const proxyHeader = 'a PROXY header, which trustProxy lets come before CONNECT,'

/** The capital letters before the first space, as in an HTTP method. */
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
