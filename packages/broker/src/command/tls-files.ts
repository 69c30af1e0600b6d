import type { TlsOptions } from '../listener/tls-layer.ts'
import { readCertificates, readNamedFile, readPair, wrong } from './pem-files.ts'
import type { NamedFile, PemPair } from './pem-files.ts'

/** The files of `--tls-…`. */
export interface TlsFiles {
  readonly cert: string | undefined
  readonly key: string | undefined
  /** Certificates of those who sign the clients' certificates. */
  readonly ca: string | undefined
  readonly clientCertificates: 'none' | 'optional' | 'required'
  readonly identityAsUsername: boolean
  /** Lines `identity:key`, the key in hexadecimal digits. */
  readonly psk: string | undefined
  /** Further certificates by server name. */
  readonly servers: readonly { readonly name: string; readonly cert: string; readonly key: string }[]
}

/** Reads the files again each time.
 * @throws TlsFileError */
export function readTlsFiles(files: TlsFiles): TlsOptions {
  const { cert, key, ca, clientCertificates, identityAsUsername, psk, servers } = files
  return {
    ...(cert !== undefined &&
      key !== undefined &&
      readPair({ option: '--tls-cert', file: cert }, { option: '--tls-key', file: key })),
    ...(ca !== undefined && { ca: readCertificates({ option: '--tls-ca', file: ca }) }),
    ...(clientCertificates !== 'none' && {
      requestCert: true,
      rejectUnauthorized: clientCertificates === 'required',
    }),
    ...(identityAsUsername && { identityAsUsername }),
    ...(psk !== undefined && { pskCallback: pskCallback({ option: '--tls-psk', file: psk }) }),
    ...(servers.length > 0 && { servers: Object.fromEntries(servers.map(serverOf)) }),
  }
}

function serverOf({ name, cert, key }: TlsFiles['servers'][number]): [name: string, pair: PemPair] {
  const option = `--tls-server ${name}`
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
      throw wrong({ option: source.option, file: `${source.file}, line ${index + 1}` }, rule)
    }
    keys.set(line.slice(0, colon), Buffer.from(digits, 'hex'))
  }
  return (_socket, identity) => keys.get(identity) ?? null
}
