import { isIP } from 'node:net'
import type { AddressList } from './address-list.ts'
import { withoutMapping } from './address-list.ts'

/** The headers of an HTTP request, as Node gives them. */
export interface RequestHeaders {
  readonly [name: string]: string | readonly string[] | undefined
}

/** Whether a proxy says something of where the request comes from. */
export function isForwarded(headers: RequestHeaders): boolean {
  return headers['x-forwarded-for'] !== undefined || headers['x-real-ip'] !== undefined
}

/** The client's address by `X-Forwarded-For`: the last one that is none of the trusted proxies, since what stands before it
 * anybody may have written. By `X-Real-IP` where there is no such header. Undefined when they hold no address. */
export function forwardedAddress(headers: RequestHeaders, trusted: AddressList): string | undefined {
  const chain = headers['x-forwarded-for']
  if (chain !== undefined) {
    const addresses = [chain].flat().join(',').split(',').map(plainAddress)
    const client = addresses.findLast(address => address === undefined || !trusted.has(address))
    return client ?? addresses.find(address => address !== undefined)
  }
  return plainAddress([headers['x-real-ip'] ?? ''].flat().join())
}

/** Some proxies add the port, or brackets. */
function plainAddress(text: string): string | undefined {
  const trimmed = text.trim()
  const bracketed = trimmed.startsWith('[') ? trimmed.slice(1, trimmed.indexOf(']')) : trimmed
  if (isIP(bracketed) !== 0) return withoutMapping(bracketed)
  const [address = '', ...rest] = trimmed.split(':')
  return rest.length === 1 && isIP(address) === 4 ? address : undefined
}
