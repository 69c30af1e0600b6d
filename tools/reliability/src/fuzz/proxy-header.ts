import type { Random } from '@x/chaos/random'
import { bytes, u16 } from '../wire/bytes.ts'

const signature = Buffer.from('0d0a0d0a000d0a515549540a', 'hex')

/** A header of the PROXY protocol, version 1 or 2, mostly a right one. */
export function proxyHeader(random: Random): Buffer {
  if (random.chance(0.5)) {
    return Buffer.from(
      random.pick([
        'PROXY TCP4 192.0.2.1 192.0.2.2 40000 1883\r\n',
        'PROXY TCP6 2001:db8::1 2001:db8::2 40000 1883\r\n',
        'PROXY UNKNOWN\r\n',
        'PROXY TCP4 192.0.2.1 192.0.2.2 400000 1883\r\n',
        'PROXY TCP4 x\r\n',
      ]),
    )
  }
  const addresses = random.chance(0.8) ? Buffer.of(192, 0, 2, 1, 192, 0, 2, 2, 0x9c, 0x40, 0x07, 0x5b) : Buffer.alloc(5)
  const value = Buffer.alloc(random.between(0, 8), 1)
  const extra = random.chance(0.5)
    ? bytes(random.pick([0x01, 0x02, 0x04, 0x20, 0xee]), u16(value.length + random.pick([0, 0, 0, 1, 1000])), value)
    : Buffer.alloc(0)
  const rest = bytes(addresses, extra)
  return bytes(
    signature,
    random.pick([0x21, 0x20, 0x31]),
    random.pick([0x11, 0x11, 0x00, 0x21]),
    u16(rest.length),
    rest,
  )
}
