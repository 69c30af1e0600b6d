import type { ClientConnection } from './client-connection.ts'

/** Groups of an IPv6 address that are one network: who has one address of it has them all. */
const networkGroups = 4

/** Where a client comes from, as far as limits go: its IPv4 address, or its IPv6 network of 64 bits. Undefined for streams that have none,
 * of a Unix socket for one. */
export function peerAddress({ client, stream }: ClientConnection): string | undefined {
  const address: unknown =
    client.connDetails?.ipAddress ?? ('remoteAddress' in stream ? stream.remoteAddress : undefined)
  return typeof address === 'string' ? networkOf(address) : undefined
}

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
