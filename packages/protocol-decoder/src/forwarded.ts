import { isIP } from 'node:net'
import type { AddressList } from './address-list.ts'
import { withoutMapping } from './address-list.ts'

const greatestPort = 65_535

/** The headers of an HTTP request, as Node gives them. */
export interface RequestHeaders {
  readonly [name: string]: string | readonly string[] | undefined
}

/** Whether a proxy says something of where the request comes from. */
export function isForwarded(headers: RequestHeaders): boolean {
  return headers['x-forwarded-for'] !== undefined || headers['x-real-ip'] !== undefined
}

/** The client's address by `X-Forwarded-For`: the last one that is none of the trusted proxies, since what stands before it
 * anybody may have written. The search ends as well at an entry that is no address (`unknown`): nobody who is trusted vouches for
 * what stands before it, so the proxy behind it is returned. By `X-Real-IP` where there is no such header. Undefined when they name
 * nobody. */
export function forwardedAddress(headers: RequestHeaders, trusted: AddressList): string | undefined {
  const chain = headers['x-forwarded-for']
  if (chain === undefined) return plainAddress([headers['x-real-ip'] ?? ''].flat().join())
  let reached: string | undefined
  for (const entry of [chain].flat().join(',').split(',').toReversed()) {
    const address = plainAddress(entry)
    if (address === undefined) break
    reached = address
    if (!trusted.has(address)) break
  }
  return reached
}

/** Some proxies add the port, and brackets with it. A zone (`%eth0`) names an interface of whoever wrote it, and no address. */
function plainAddress(text: string): string | undefined {
  const trimmed = text.trim()
  if (isIP(trimmed) !== 0) return trimmed.includes('%') ? undefined : withoutMapping(trimmed)
  const bracket = trimmed.lastIndexOf(']')
  const isBracketed = trimmed.startsWith('[') && bracket > 0
  const end = isBracketed ? bracket + 1 : trimmed.indexOf(':')
  if (end < 0) return undefined
  const address = isBracketed ? trimmed.slice(1, bracket) : trimmed.slice(0, end)
  const known = isIP(address) === (isBracketed ? 6 : 4) && !address.includes('%')
  return known && isPortSuffix(trimmed.slice(end)) ? withoutMapping(address) : undefined
}

/** Nothing, or a colon and a port. */
function isPortSuffix(text: string): boolean {
  if (text === '') return true
  const port = Number(text.slice(1))
  return text === `:${port}` && Number.isInteger(port) && port >= 0 && port <= greatestPort
}
