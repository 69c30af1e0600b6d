import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { readCertificates, reasonOfFile, wrong } from './pem-files.ts'
import type { NamedFile } from './pem-files.ts'

/** Where the certificates of authorities are. */
interface Authorities {
  readonly ca?: string | undefined
  readonly caDirectory?: string | undefined
}

/** OpenSSL's name for the file of a certificate: the hash of its subject, and a number. */
const hashedName = /^[\da-f]{8}\.\d+$/

/** The certificates of a file and of a directory together, in PEM; undefined: neither is given.
 * @param prefix of the options' names, for errors
 * @throws TlsFileError */
export function readAuthorities({ ca, caDirectory }: Authorities, prefix: string): Buffer | undefined {
  const parts = [
    ...(ca === undefined ? [] : [readCertificates({ option: `${prefix}ca`, file: ca })]),
    ...(caDirectory === undefined ? [] : readHashed({ option: `${prefix}caDirectory`, file: caDirectory })),
  ]
  if (parts.length === 0 && caDirectory !== undefined) {
    const rule = `it has no file with OpenSSL's name for a certificate, such as 9d66eef0.0: openssl rehash ${caDirectory}`
    throw wrong({ option: `${prefix}caDirectory`, file: caDirectory }, rule)
  }
  if (parts.length < 2) return parts[0]
  // A file may end without a line break.
  return Buffer.concat(parts.flatMap(part => [part, Buffer.from('\n')]))
}

/** What has another name is skipped, as by OpenSSL. */
function readHashed(directory: NamedFile): Buffer[] {
  let names: string[]
  try {
    names = readdirSync(directory.file)
  } catch (cause) {
    throw wrong(directory, reasonOfFile(cause), cause)
  }
  const hashed = names.filter(name => hashedName.test(name)).toSorted()
  return hashed.map(name => readCertificates({ option: directory.option, file: join(directory.file, name) }))
}
