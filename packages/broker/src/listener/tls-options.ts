import { assertOptions, optionInvalid } from '@x/broker-core'
import { nearestOption, optionRules } from '@x/contract'
import type { OptionTable } from '@x/contract'
import { ListenError } from './listen-error.ts'
import type { TlsOptions } from './tls-layer.ts'

const { any, flag } = optionRules

/** The names that Node's `tls.createServer` knows, and ours. What Node takes, it checks itself. */
const optionTable: OptionTable<keyof TlsOptions> = {
  servers: { text: 'an object with a key and a certificate for each name', allows: value => isObject(value) },
  revocationLists: {
    text: 'a text or a Buffer with revocation lists in PEM',
    allows: value => typeof value === 'string' || Buffer.isBuffer(value),
  },
  identityAsUsername: {
    text: "true, false, 'subject' or 'alternativeName'",
    allows: value => [true, false, 'subject', 'alternativeName'].includes(value as boolean),
  },
  ALPNCallback: any,
  ALPNProtocols: any,
  SNICallback: optionRules.function,
  allowHalfOpen: any,
  allowPartialTrustChain: any,
  ca: any,
  cert: any,
  ciphers: any,
  clientCertEngine: any,
  crl: any,
  dhparam: any,
  ecdhCurve: any,
  enableTrace: any,
  handshakeTimeout: any,
  highWaterMark: any,
  honorCipherOrder: any,
  keepAlive: any,
  keepAliveInitialDelay: any,
  key: any,
  maxVersion: any,
  minVersion: any,
  noDelay: any,
  passphrase: any,
  pauseOnConnect: any,
  pfx: any,
  privateKeyEngine: any,
  privateKeyIdentifier: any,
  pskCallback: optionRules.function,
  pskIdentityHint: any,
  rejectUnauthorized: flag,
  requestCert: flag,
  secureContext: any,
  secureOptions: any,
  secureProtocol: any,
  sessionIdContext: any,
  sessionTimeout: any,
  sigalgs: any,
  ticketKeys: any,
}

/** Bun and Deno take `pskCallback` and then refuse each client that has such a key: it is better said at start.
 * @throws ListenError `LISTEN_FAILED` */
export function checkEngine({ pskCallback }: TlsOptions, versions: NodeJS.ProcessVersions = process.versions): void {
  const engine = ['bun', 'deno'].find(name => versions[name] !== undefined)
  if (pskCallback === undefined || engine === undefined) return
  const message = `${engine} ${versions[engine]} accepts no client with a pre-shared key (tls.pskCallback): run the broker on Node.js`
  throw new ListenError('LISTEN_FAILED', { message })
}

/** Without a key and a certificate, or what takes their place, each handshake would fail, and nobody would know why.
 * @throws BrokerError `OPTION_INVALID`
 * @throws ListenError `LISTEN_FAILED`, see {@link checkEngine} */
export function checkTlsOptions(options: TlsOptions): void {
  checkTlsNames(options)
  checkEngine(options)
  const { key, privateKeyIdentifier, cert, pfx, pskCallback, SNICallback, secureContext, servers = {} } = options
  const isPair = (key ?? privateKeyIdentifier) !== undefined && cert !== undefined
  const other = [pfx, pskCallback, SNICallback, secureContext].some(one => one !== undefined)
  if (isPair || other || Object.keys(servers).length > 0) return
  const given = Object.keys(options).length === 0 ? options : Object.keys(options)
  throw optionInvalid('tls', given, 'an object with key and cert, with pfx, with pskCallback, or with servers')
}

/** For options that are added to others. Node's options grow from version to version, so a name that is like none of these is Node's.
 * @throws BrokerError `OPTION_INVALID` */
export function checkTlsNames(options: TlsOptions): void {
  const isOurs = (name: string): boolean =>
    Object.hasOwn(optionTable, name) || nearestOption(name, optionTable) !== undefined
  assertOptions(Object.fromEntries(Object.entries(options).filter(([name]) => isOurs(name))), optionTable, 'tls')
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
