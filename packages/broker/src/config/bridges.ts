import { hostname } from 'node:os'
import type { ConnectionOptions } from 'node:tls'
import { BridgeError, bridge } from '@x/bridge'
import type { BridgeOptions } from '@x/bridge'
import { readAuthorities } from '../command/authority-files.ts'
import { readPair } from '../command/pem-files.ts'
import type { BridgeConfig, BridgeTlsConfig } from './bridge-schema.ts'

/** What is wrong with bridges that the schema does not show, as sentences. */
export function problemsOfBridges(configs: readonly BridgeConfig[]): string[] {
  const names = new Set<string>()
  const sessions = new Set<string>()
  return configs.flatMap((config, index) => {
    const place = `bridges[${index}]`
    const problems: string[] = []
    const session = localSession(config)
    if (names.has(config.name)) problems.push(`${place}.name is '${config.name}', which another bridge has`)
    else if (sessions.has(session)) {
      problems.push(`${place}.localClientId is '${session}', which another bridge has`)
    }
    names.add(config.name)
    sessions.add(session)
    const problem = problemOfBridge(config)
    if (problem !== undefined) problems.push(`${place}: ${problem}`)
    const { tls } = config
    const isSecure = [config.addresses].flat().some(address => /^(?:mqtts|wss):/i.test(address))
    if (tls !== undefined && !isSecure) problems.push(`${place}.tls is given, but no address is mqtts or wss`)
    if (tls !== undefined) problems.push(...problemsOfTls(tls).map(sentence => `${place}.tls${sentence}`))
    return problems
  })
}

/** Undefined: the bridge can be made, but for its TLS, whose files are read later. */
export function problemOfBridge(config: BridgeConfig): string | undefined {
  try {
    bridge(optionsOf(config))
    return undefined
  } catch (error) {
    if (!(error instanceof BridgeError)) throw error
    return error.message
  }
}

/** The client identifier that the bridge has at this broker. */
export function localSession({
  name,
  clientId = `${hostname()}.${name}`,
  localClientId,
}: Pick<BridgeConfig, 'name' | 'clientId' | 'localClientId'>): string {
  return localClientId ?? `local.${clientId}`
}

function problemsOfTls({ ca, caDirectory, cert, key, pskIdentity, pskKey, minVersion }: BridgeTlsConfig): string[] {
  const problems: string[] = []
  if ((cert === undefined) !== (key === undefined)) problems.push('.cert and key must be given together')
  if ((pskIdentity === undefined) !== (pskKey === undefined)) {
    problems.push('.pskIdentity and pskKey must be given together')
  }
  if (pskKey === undefined) return problems
  if (!/^(?:[\da-f]{2})+$/i.test(pskKey)) problems.push('.pskKey must be hexadecimal digits, two for each byte')
  if ((ca ?? caDirectory ?? cert) !== undefined) problems.push(': certificates and a pre-shared key exclude each other')
  if (minVersion === 'TLSv1.3') problems.push('.minVersion is TLSv1.3, but a pre-shared key needs TLS 1.2')
  return problems
}

/** Bridges with their files read.
 * @throws TlsFileError */
export function preparedBridges(configs: readonly BridgeConfig[]): readonly BridgeOptions[] {
  return configs.map((config, index) => ({
    ...optionsOf(config),
    ...(config.tls !== undefined && { tls: tlsOptions(config.tls, `bridges[${index}].tls.`) }),
  }))
}

/** All but TLS. A key without a value is as good as missing. */
function optionsOf({ tls: _tls, ...config }: BridgeConfig): BridgeOptions {
  return JSON.parse(JSON.stringify(config)) as BridgeOptions
}

function tlsOptions(config: BridgeTlsConfig, prefix: string): ConnectionOptions {
  const { cert, key, pskIdentity, pskKey, serverName, insecure, alpn, ciphers, minVersion } = config
  const ca = readAuthorities(config, prefix)
  return {
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined &&
      key !== undefined &&
      readPair({ option: `${prefix}cert`, file: cert }, { option: `${prefix}key`, file: key })),
    ...(insecure === true && { checkServerIdentity: () => undefined }),
    ...(alpn !== undefined && { ALPNProtocols: [alpn] }),
    ...(serverName !== undefined && { servername: serverName }),
    ...(pskIdentity !== undefined && pskKey !== undefined && pskOptions(pskIdentity, pskKey)),
    ...(ciphers !== undefined && { ciphers }),
    ...(minVersion !== undefined && { minVersion }),
  }
}

/** Who has the key is the other broker: it shows no certificate. OpenSSL's callback for these keys is that of TLS 1.2. */
function pskOptions(identity: string, key: string): ConnectionOptions {
  const psk = Buffer.from(key, 'hex')
  return {
    pskCallback: () => ({ identity, psk }),
    ciphers: 'PSK',
    maxVersion: 'TLSv1.2',
    checkServerIdentity: () => undefined,
  }
}
