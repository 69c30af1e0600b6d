import { ConfigProblem } from '../config/config-problem.ts'
import type { TlsConfig } from '../config/tls-schema.ts'
import type { TlsOptions } from '../listener/tls-layer.ts'
import { readAuthorities } from './authority-files.ts'
import { RevocationLists } from '../listener/revocation-lists.ts'
import { readNamedFile, readPair, wrong } from './pem-files.ts'
import type { NamedFile, PemPair } from './pem-files.ts'

/** Reads the files again each time.
 * @param prefix of the options' names, for errors: `--tls-` or `listeners[0].tls.`
 * @throws TlsFileError; ConfigProblem for a line of pre-shared keys */
export function readTlsFiles(files: TlsConfig, prefix: string): TlsOptions {
  const { cert, key, crl, identityAsUsername, psk, pskHint, ciphers, minVersion, servers = [] } = files
  const { clientCertificates = (files.ca ?? files.caDirectory) === undefined ? 'none' : 'required' } = files
  const ca = readAuthorities(files, prefix)
  return {
    ...(cert !== undefined &&
      key !== undefined &&
      readPair({ option: `${prefix}cert`, file: cert }, { option: `${prefix}key`, file: key })),
    ...(ca !== undefined && { ca }),
    ...(clientCertificates !== 'none' && {
      requestCert: true,
      rejectUnauthorized: clientCertificates === 'required',
    }),
    ...(crl !== undefined && { revocationLists: readRevocationLists({ option: `${prefix}crl`, file: crl }) }),
    ...(identityAsUsername !== undefined && identityAsUsername !== false && { identityAsUsername }),
    ...(pskHint !== undefined && { pskIdentityHint: pskHint }),
    ...(ciphers !== undefined && { ciphers }),
    ...(minVersion !== undefined && { minVersion }),
    ...(psk !== undefined && { pskCallback: pskCallback({ option: `${prefix}psk`, file: psk }) }),
    ...(servers.length > 0 && { servers: Object.fromEntries(servers.map(server => serverOf(server, prefix))) }),
  }
}

function readRevocationLists(source: NamedFile): string {
  const pem = readNamedFile(source).toString('latin1')
  try {
    void new RevocationLists(pem, '')
    return pem
  } catch (cause) {
    throw wrong(source, (cause as Error).message, cause)
  }
}

function serverOf(
  { name, cert, key }: NonNullable<TlsConfig['servers']>[number],
  prefix: string,
): [name: string, pair: PemPair] {
  const option = `${prefix}server ${name}`
  return [name, readPair({ option, file: cert }, { option, file: key })]
}

function pskCallback(source: NamedFile): NonNullable<TlsOptions['pskCallback']> {
  const keys = new Map<string, Buffer>()
  for (const [index, line] of readNamedFile(source).toString('utf8').split('\n').entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue
    const colon = line.lastIndexOf(':')
    const digits = line.slice(colon + 1).trim()
    if (colon < 1 || digits === '' || digits.length % 2 !== 0 || !/^[\da-f]+$/i.test(digits)) {
      const rule = 'it must be an identity, a colon, and a key in hexadecimal digits'
      throw new ConfigProblem([`${source.option} ${source.file}:${index + 1}: ${rule}`])
    }
    keys.set(line.slice(0, colon), Buffer.from(digits, 'hex'))
  }
  return (_socket, identity) => keys.get(identity) ?? null
}
