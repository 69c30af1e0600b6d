/** Castagnoli's polynomial, bits reversed. RFC 9260 appendix A */
const polynomial = 0x82f6_3b78

const table = Uint32Array.from({ length: 256 }, (_, index) => {
  let value = index
  for (let bit = 0; bit < 8; bit += 1) value = (value & 1) === 0 ? value >>> 1 : (value >>> 1) ^ polynomial
  return value
})

/** The checksum of PROXY protocol version 2, which is not the CRC-32 of zlib. */
export function crc32c(bytes: Uint8Array): number {
  let value = 0xffff_ffff
  for (const byte of bytes) value = (table[(value ^ byte) & 0xff] as number) ^ (value >>> 8)
  return (value ^ 0xffff_ffff) >>> 0
}
