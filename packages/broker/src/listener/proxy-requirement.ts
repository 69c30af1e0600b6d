import type { ConnectionDetails } from '@x/protocol-decoder'
import { ConnectionRefused } from './refused.ts'

/** What a connection through a proxy must bring: a PROXY header; one that says that the client spoke TLS; one that says that the proxy has
 * verified a certificate of the client. */
export type ProxyRequirement = 'header' | 'tls' | 'certificate'

/** @param details - what the header says; undefined: there is none
 * @throws ConnectionRefused `PROXY_HEADER_MISSING`, `PROXY_REQUIREMENT_UNMET` */
export function assertProxySaid(requirement: ProxyRequirement, details: ConnectionDetails | undefined): void {
  if (details === undefined) throw new ConnectionRefused('PROXY_HEADER_MISSING', 'no PROXY header came first')
  if (requirement === 'tls' && !details.isTls) throw unmet('TLS')
  if (requirement === 'certificate' && details.hasCertificate !== true) throw unmet('a certificate')
}

function unmet(what: string): ConnectionRefused {
  return new ConnectionRefused('PROXY_REQUIREMENT_UNMET', `the proxy has not said that the client came with ${what}`)
}
