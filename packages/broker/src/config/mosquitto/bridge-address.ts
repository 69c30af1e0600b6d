import { isIPv6 } from 'node:net'
import { wholeOf } from './values.ts'

const defaultPort = 1883

/** The words of `address` as URLs: `host[:port]`, where what stands behind the last colon is the port.
 * @throws RangeError what is wrong, to stand behind the directive's name */
export function bridgeAddressesOf(text: string, protocol: 'mqtt' | 'mqtts'): string[] {
  return text
    .split(' ')
    .filter(word => word !== '')
    .map(word => {
      const colon = word.lastIndexOf(':')
      const host = (colon < 0 ? word : word.slice(0, colon)).replaceAll(/^\[|\]$/g, '')
      if (!isHost(host)) throw new RangeError(`is '${word}', it must be host:port, also with an IPv6 address`)
      return `${protocol}://${isIPv6(host) ? `[${host}]` : host}:${colon < 0 ? defaultPort : portOf(word, colon)}`
    })
}

function isHost(host: string): boolean {
  return isIPv6(host) || (host !== '' && !/[\s:/?#@[\]\\%]/.test(host))
}

function portOf(word: string, colon: number): number {
  try {
    return wholeOf(word.slice(colon + 1), { least: 1, greatest: 65_535 })
  } catch {
    throw new RangeError(`is '${word}', its port must be a whole number from 1 to 65535`)
  }
}
