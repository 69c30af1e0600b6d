import { readFileSync } from 'node:fs'
import type { TlsOptions } from '../listener/tls-layer.ts'

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

/** What is wrong with a file, with its name and, where there is one, the line. */
export class TlsFileError extends Error {}

/** Reads the files, each time anew.
 * @throws TlsFileError */
export function readTlsFiles(files: TlsFiles): TlsOptions {
  const { cert, key, ca, clientCertificates, identityAsUsername, psk, servers } = files
  return {
    ...(cert !== undefined && { cert: read(cert) }),
    ...(key !== undefined && { key: read(key) }),
    ...(ca !== undefined && { ca: read(ca) }),
    ...(clientCertificates !== 'none' && {
      requestCert: true,
      rejectUnauthorized: clientCertificates === 'required',
    }),
    ...(identityAsUsername && { identityAsUsername }),
    ...(psk !== undefined && { pskCallback: pskCallback(psk) }),
    ...(servers.length > 0 && {
      servers: Object.fromEntries(servers.map(one => [one.name, { cert: read(one.cert), key: read(one.key) }])),
    }),
  }
}

function read(file: string): Buffer {
  try {
    return readFileSync(file)
  } catch (cause) {
    throw new TlsFileError(`cannot read ${file}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
  }
}

function pskCallback(file: string): NonNullable<TlsOptions['pskCallback']> {
  const keys = new Map<string, Buffer>()
  for (const [index, line] of read(file).toString('utf8').split('\n').entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue
    const colon = line.lastIndexOf(':')
    const digits = line.slice(colon + 1).trim()
    if (colon < 1 || digits === '' || digits.length % 2 !== 0 || !/^[\da-f]+$/i.test(digits)) {
      throw new TlsFileError(
        `${file}, line ${index + 1}: it must be an identity, a colon, and a key in hexadecimal digits`,
      )
    }
    keys.set(line.slice(0, colon), Buffer.from(digits, 'hex'))
  }
  return (_socket, identity) => keys.get(identity) ?? null
}
