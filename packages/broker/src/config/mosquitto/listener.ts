import { networkInterfaces } from 'node:os'
import { ConfigProblem, placed } from '../config-problem.ts'
import type { HttpApiConfig } from '../admin-schema.ts'
import type { ListenerConfig } from '../schema.ts'
import type { TlsConfig } from '../tls-schema.ts'
import { rulesOf } from './listener-rules.ts'
import type { Settings } from './settings.ts'
import { wholeOf } from './values.ts'

const defaultPort = 1883

/** A listener of Mosquitto's. `global` has what it shares with others.
 * @throws ConfigProblem */
export function listenerOf(
  settings: Settings,
  { global, perListener }: { readonly global: Settings; readonly perListener: boolean },
): ListenerConfig {
  const tls = tlsOf(settings, global)
  const secure = tls === undefined ? '' : 's'
  const isWeb = settings.text('protocol') === 'websockets'
  const origins = settings.all('websockets_origin').flatMap(({ value }) => originsOf(String(value)))
  const connections = settings.whole('max_connections') ?? 0
  if (settings.whole('enable_proxy_protocol') === 2) checkProxy(settings)
  if (origins.length > 0 && !isWeb) throw problem(settings, 'websockets_origin needs protocol websockets')
  return {
    ...placeOf(settings),
    protocols: [isWeb ? (`ws${secure}` as const) : (`mqtt${secure}` as const)],
    ...(origins.length > 0 && { origins, strictOrigins: false }),
    ...(connections > 0 && { maximumConnections: connections }),
    ...rulesOf(settings, perListener ? settings : global, global),
    ...proxyOf(settings),
    ...(tls !== undefined && { tls }),
  }
}

/** Mosquitto compares as many characters as the client's header has, so that it lets a page in whose origin stands before a path. */
function originsOf(text: string): string[] {
  const [, before] = /^([a-z][a-z\d+.-]*:\/\/[^/]+)\//i.exec(text) ?? []
  return before === undefined ? [text] : [text, before]
}

/** Whether it speaks HTTP, and not MQTT. */
export function isHttpApi(settings: Settings): boolean {
  return settings.text('protocol') === 'http_api'
}

/** A listener of Mosquitto's that serves its HTTP API.
 * @throws ConfigProblem */
export function httpApiOf(settings: Settings): HttpApiConfig {
  const { port, host } = placeOf(settings)
  if (port === undefined) throw problem(settings, 'protocol http_api needs a port')
  const [cert, key, directory] = [settings.text('certfile'), settings.text('keyfile'), settings.text('http_dir')]
  if ((cert === undefined) !== (key === undefined))
    throw problem(settings, 'certfile and keyfile must be given together')
  return {
    port,
    ...(host !== undefined && { host }),
    ...(cert !== undefined && key !== undefined && { tls: { cert, key } }),
    ...(directory !== undefined && { directory }),
  }
}

/** TLS ends at the proxy, so what is required of certificates is required of its header. */
function proxyOf(settings: Settings): ListenerConfig {
  const version = settings.whole('enable_proxy_protocol')
  if (version === undefined) return {}
  const isRequired = version === 2 && settings.flag('require_certificate') === true
  const isSecure = version === 2 && settings.flag('proxy_protocol_v2_require_tls') === true
  return {
    trustProxy: true,
    trustedProxies: [],
    proxyRequires: isRequired ? 'certificate' : isSecure ? 'tls' : 'header',
    ...(isRequired && settings.flag('use_identity_as_username') === true && { proxyIdentityAsUsername: true }),
  }
}

/** The proxy speaks TLS with the clients, and says what it has seen. */
function checkProxy(settings: Settings): void {
  const names = ['certfile', 'keyfile', 'use_subject_as_username']
  const excluded = names.find(name => (settings.get(name)?.value ?? false) !== false)
  if (excluded !== undefined) throw problem(settings, `enable_proxy_protocol 2 and ${excluded} exclude each other`)
}

/** Where it listens. All addresses unless it says otherwise. */
function placeOf(settings: Settings): ListenerConfig {
  const text = settings.text('listener')
  const [first = '', ...rest] = text?.split(' ').filter(word => word !== '') ?? []
  const host = text === undefined ? settings.text('bind_address') : rest.join(' ')
  const port = text === undefined ? (settings.whole('port') ?? defaultPort) : portOf(settings, first)
  if (port === 0) {
    if (host === undefined || host === '') throw problem(settings, 'listener 0 needs the path of a Unix socket')
    return { socketPath: host }
  }
  if (host !== undefined && host !== '') return { port, host }
  return { port, host: addressesOf(settings) }
}

function portOf(settings: Settings, word: string): number {
  try {
    return wholeOf(word, { least: 0, greatest: 65_535 })
  } catch (error) {
    throw problem(settings, `listener ${(error as Error).message}`)
  }
}

function addressesOf(settings: Settings): string | readonly string[] {
  const name = settings.text('bind_interface')
  const domain = settings.text('socket_domain')
  if (name === undefined) return domain === 'ipv4' ? '0.0.0.0' : domain === 'ipv6' ? '::' : '*'
  const family = domain === 'ipv4' ? 'IPv4' : domain === 'ipv6' ? 'IPv6' : undefined
  const addresses = (networkInterfaces()[name] ?? [])
    .filter(one => family === undefined || one.family === family)
    .map(({ address, scopeid }) => (scopeid ? `${address}%${name}` : address))
  if (addresses.length === 0) throw problem(settings, `bind_interface is '${name}', which has no such address`)
  return addresses
}

function tlsOf(settings: Settings, global: Settings): TlsConfig | undefined {
  const cert = settings.text('certfile')
  const key = settings.text('keyfile')
  const [ca, caDirectory] = [settings.text('cafile'), settings.text('capath')]
  const hint = settings.text('psk_hint')
  if ((cert === undefined) !== (key === undefined))
    throw problem(settings, 'certfile and keyfile must be given together')
  if (cert === undefined && ca !== undefined) throw problem(settings, 'cafile needs certfile and keyfile')
  if (cert === undefined && caDirectory !== undefined) throw problem(settings, 'capath needs certfile and keyfile')
  if (cert !== undefined && hint !== undefined) throw problem(settings, 'psk_hint and certfile exclude each other')
  if (cert === undefined && hint === undefined) return undefined
  const psk = settings.text('psk_file') ?? global.text('psk_file')
  if (hint !== undefined && psk === undefined) throw problem(settings, 'psk_hint needs psk_file')
  const ciphers = [settings.text('ciphers_tls1.3'), settings.text('ciphers')].filter(one => one !== undefined)
  const isRequired = settings.flag('require_certificate') === true
  return {
    cert,
    key,
    // Without client certificates, too: OpenSSL completes the chain that it sends from them.
    ca,
    caDirectory,
    crl: settings.text('crlfile'),
    clientCertificates: isRequired ? 'required' : 'none',
    ...identityOf(settings),
    ...(hint !== undefined && { psk, pskHint: hint }),
    ...(ciphers.length > 0 && { ciphers: ciphers.join(':') }),
    minVersion: settings.text('tls_version') === 'tlsv1.3' ? 'TLSv1.3' : 'TLSv1.2',
  }
}

/** The Common Name outweighs the subject where both are wanted. */
function identityOf(settings: Settings): Pick<TlsConfig, 'identityAsUsername'> {
  if (settings.flag('use_identity_as_username') === true) return { identityAsUsername: true }
  return settings.flag('use_subject_as_username') === true ? { identityAsUsername: 'subject' } : {}
}

function problem(settings: Settings, sentence: string): ConfigProblem {
  return new ConfigProblem([placed(settings.place ?? { file: 'listener' }, sentence)])
}
