import type { ClientConnection } from './client-connection.ts'

/** Groups of an IPv6 address that name the network: one host may use all addresses of it. */
const networkGroups = 4

/** The address of a client for limits: its IPv4 address, or its IPv6 network of 64 bits. Undefined for streams without an address, such
 * as Unix sockets. */
export function peerAddress({ client, stream }: ClientConnection): string | undefined {
  const address: unknown =
    client.connDetails?.ipAddress ?? ('remoteAddress' in stream ? stream.remoteAddress : undefined)
  return typeof address === 'string' ? networkOf(address) : undefined
}

/** Returns an IPv4 address, or the network of 64 bits of an IPv6 address. */
export function networkOf(address: string): string {
  if (!address.includes(':')) return address
  if (address.includes('.')) return address.slice(address.lastIndexOf(':') + 1)
  const [head = '', tail] = address.split('::')
  const groups = head === '' ? [] : head.split(':')
  if (tail !== undefined) {
    const behind = tail === '' ? [] : tail.split(':')
    groups.push(...Array.from({ length: Math.max(0, 8 - groups.length - behind.length) }, () => '0'), ...behind)
  }
  return groups.slice(0, networkGroups).join(':')
}
