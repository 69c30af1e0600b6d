import { BlockList, isIP, isIPv4 } from 'node:net'

/** Addresses and networks in the notation of CIDR: `10.0.0.0/8`, `2001:db8::/32`, `192.0.2.1`. */
export class AddressList {
  readonly #list = new BlockList()
  readonly size: number

  /** @throws RangeError naming an entry that is neither an address nor a network */
  constructor(entries: readonly string[]) {
    for (const entry of entries) this.#add(entry)
    this.size = entries.length
  }

  /** Whether the address is in it. An IPv4 address may be written as IPv6 (`::ffff:192.0.2.1`), as sockets for both show it. */
  has(address: string | undefined): boolean {
    if (address === undefined) return false
    const plain = withoutMapping(address)
    if (isIP(plain) === 0) return false
    return this.#list.check(plain, isIPv4(plain) ? 'ipv4' : 'ipv6')
  }

  #add(entry: string): void {
    const [address = '', bits, ...rest] = entry.split('/')
    const kind = isIP(address)
    const greatest = kind === 4 ? 32 : 128
    const prefix = bits === undefined ? greatest : Number(bits)
    const valid = kind !== 0 && rest.length === 0 && bits !== '' && Number.isInteger(prefix)
    if (!valid || prefix < 0 || prefix > greatest) {
      throw new RangeError(`'${entry}' is neither an address nor a network such as 10.0.0.0/8`)
    }
    this.#list.addSubnet(address, prefix, kind === 4 ? 'ipv4' : 'ipv6')
  }
}

const mapping = '::ffff:'

/** The address as its owner writes it. */
export function withoutMapping(address: string): string {
  const plain = address.toLowerCase().startsWith(mapping) ? address.slice(mapping.length) : address
  return isIPv4(plain) ? plain : address
}
