import { connect as connectTcp } from 'node:net'
import type { Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { ClientSettings } from './client-settings.ts'

/** The connection to the broker, before a word is said. */
export function openStream({ host, port, socketPath, bindAddress, tls }: ClientSettings): Socket {
  const place =
    socketPath === undefined
      ? { host, port, noDelay: true, ...(bindAddress !== undefined && { localAddress: bindAddress }) }
      : { path: socketPath }
  if (tls === undefined) return connectTcp(place)
  return connectTls({ ...place, ...(/^[\d.]+$|:/.test(host) ? {} : { servername: host }), ...tls })
}

/** What Mosquitto's tools say of a connection that could not be made, so that scripts which compare it go on. */
export function connectProblem(error: NodeJS.ErrnoException, { tls }: Pick<ClientSettings, 'tls'>): string {
  const { code = '', message } = error
  const isTls = tls !== undefined && code === 'ECONNRESET'
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'Unable to connect (Lookup error.).'
  if (isTls || /^ERR_(SSL|TLS)|CERT|SIGNED|SIGNATURE|ISSUER/.test(code))
    return `Unable to connect (A TLS error occurred.).\n${message}`
  return `Error: ${texts[code] ?? message}`
}

const texts: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'Connection refused',
  ECONNRESET: 'The connection was lost.',
  ENOENT: 'No such file or directory',
  ETIMEDOUT: 'Connection timed out',
  EHOSTUNREACH: 'No route to host',
  ENETUNREACH: 'Network is unreachable',
  EACCES: 'Permission denied',
}
