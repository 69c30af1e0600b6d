import type { BridgeTlsConfig } from '../bridge-schema.ts'
import { ConfigProblem, placed } from '../config-problem.ts'
import type { Settings } from './settings.ts'

const begins = ['bridge_cafile', 'bridge_capath', 'bridge_tls_use_os_certs', 'bridge_identity', 'bridge_psk'] as const
const certificates = [
  'bridge_cafile',
  'bridge_capath',
  'bridge_certfile',
  'bridge_keyfile',
  'bridge_tls_use_os_certs',
] as const
const furtherDirectives = [
  'bridge_alpn',
  'bridge_certfile',
  'bridge_ciphers',
  'bridge_ciphers_tls1.3',
  'bridge_insecure',
  'bridge_keyfile',
  'bridge_tls_version',
] as const

/** TLS of a bridge; undefined: it has none.
 * @throws ConfigProblem */
export function bridgeTlsOf(settings: Settings, notices: string[]): BridgeTlsConfig | undefined {
  const isOn = begins.some(name => isSet(settings, name))
  if (!isOn) {
    for (const name of furtherDirectives) {
      const setting = settings.get(name)
      if (setting === undefined || setting.value === false) continue
      notices.push(
        placed(
          setting.place,
          `${name}: the bridge has no TLS without ${begins.slice(0, 4).join(', ')}, as with Mosquitto`,
        ),
      )
    }
    return undefined
  }
  checkTogether(settings)
  const ciphers = [settings.text('bridge_ciphers_tls1.3'), settings.text('bridge_ciphers')].filter(Boolean)
  const key = settings.text('bridge_psk')
  const isInsecure = settings.flag('bridge_insecure') === true
  return withoutUndefined<BridgeTlsConfig>({
    ca: settings.text('bridge_cafile'),
    caDirectory: settings.text('bridge_capath'),
    cert: settings.text('bridge_certfile'),
    key: settings.text('bridge_keyfile'),
    pskIdentity: settings.text('bridge_identity'),
    // As OpenSSL reads a number: the first of an odd count stands for a byte by itself.
    pskKey: key === undefined || key.length % 2 === 0 ? key : `0${key}`,
    insecure: isInsecure ? true : undefined,
    alpn: settings.text('bridge_alpn'),
    ciphers: ciphers.length > 0 ? ciphers.join(':') : undefined,
    minVersion: settings.text('bridge_tls_version') === 'tlsv1.3' ? 'TLSv1.3' : undefined,
  })
}

function isSet(settings: Settings, name: string): boolean {
  const value = settings.get(name)?.value
  return value !== undefined && value !== false
}

function checkTogether(settings: Settings): void {
  const refuse = (name: string, sentence: string): never => {
    throw new ConfigProblem([placed(settings.get(name)?.place ?? { file: name }, `${name} ${sentence}`)])
  }
  for (const [one, other] of [
    ['bridge_identity', 'bridge_psk'],
    ['bridge_psk', 'bridge_identity'],
    ['bridge_certfile', 'bridge_keyfile'],
    ['bridge_keyfile', 'bridge_certfile'],
  ] as const) {
    if (isSet(settings, one) && !isSet(settings, other)) refuse(one, `needs ${other}`)
  }
  const key = settings.text('bridge_psk')
  const certificate = certificates.find(name => isSet(settings, name))
  if (key !== undefined && certificate !== undefined) refuse(certificate, 'and bridge_psk exclude each other')
  if (key !== undefined && !/^[\da-f]+$/i.test(key)) refuse('bridge_psk', 'must be hexadecimal digits')
  if (key !== undefined && settings.text('bridge_tls_version') === 'tlsv1.3') {
    refuse('bridge_tls_version', 'is tlsv1.3, but a pre-shared key needs TLS 1.2')
  }
  const other = (['bridge_cafile', 'bridge_capath'] as const).find(name => isSet(settings, name))
  if (other !== undefined && isSet(settings, 'bridge_tls_use_os_certs')) {
    refuse('bridge_tls_use_os_certs', `and ${other} exclude each other here: name one file with all authorities`)
  }
}

function withoutUndefined<Value extends object>(value: Value): Value {
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined)) as Value
}
