import { X509Certificate, createPrivateKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createSecureContext } from 'node:tls'

/** What is wrong with a file: the option that names it, its name, and where there is one the line. */
export class TlsFileError extends Error {}

/** A file, and the option that names it. */
export interface NamedFile {
  readonly option: string
  readonly file: string
}

/** A certificate and its key in PEM. */
export interface PemPair {
  readonly cert: Buffer
  readonly key: Buffer
}

/** The first byte of a DER file: the tag of an ASN.1 SEQUENCE. */
const sequence = 0x30
const certificateBlock = /-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----[^-]+-----END/g
const keyLine = /-----BEGIN [A-Z ]*PRIVATE KEY-----/
const encryptedLine = /-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'this user may not read it',
  EISDIR: 'it is a directory',
  ENOTDIR: 'it is no directory',
}

/** @throws TlsFileError */
export function readNamedFile(source: NamedFile): Buffer {
  try {
    return readFileSync(source.file)
  } catch (cause) {
    throw wrong(source, reasonOfFile(cause), cause)
  }
}

/** Why a file, or a directory, could not be read. */
export function reasonOfFile(error: unknown): string {
  const { code = '', message } = error as NodeJS.ErrnoException
  return reasons[code] ?? message
}

/** Certificates in PEM, each of which can be read.
 * @throws TlsFileError */
export function readCertificates(source: NamedFile): Buffer {
  const bytes = readNamedFile(source)
  if (bytes[0] === sequence)
    throw wrong(source, `it is DER, it must be PEM: openssl x509 -inform der -in ${source.file}`)
  const text = bytes.toString('latin1')
  const blocks = text.match(certificateBlock)
  if (blocks === null)
    throw wrong(source, keyLine.test(text) ? 'it holds a key, no certificate' : 'it holds no certificate')
  for (const block of blocks) {
    const damage = damageOf(`${block} CERTIFICATE-----`.replace(/(X509|TRUSTED) /, ''))
    if (damage !== undefined) throw wrong(source, `a certificate in it is damaged: ${damage}`)
  }
  return bytes
}

function damageOf(certificate: string): string | undefined {
  try {
    void new X509Certificate(certificate)
    return undefined
  } catch (error) {
    return reasonOf(error)
  }
}

/** A certificate with those that sign it, and its key.
 * @throws TlsFileError */
export function readPair(certificate: NamedFile, keyFile: NamedFile): PemPair {
  const cert = readCertificates(certificate)
  const key = readKey(keyFile)
  if (!new X509Certificate(cert).checkPrivateKey(createPrivateKey(key)))
    throw wrong(keyFile, `the key is not that of the certificate in ${certificate.file}`)
  try {
    createSecureContext({ cert, key })
  } catch (cause) {
    throw wrong(certificate, `TLS does not take it: ${reasonOf(cause)}`, cause)
  }
  return { cert, key }
}

function readKey(source: NamedFile): Buffer {
  const bytes = readNamedFile(source)
  if (bytes[0] === sequence)
    throw wrong(source, `it is DER, it must be PEM: openssl pkey -inform der -in ${source.file}`)
  const text = bytes.toString('latin1')
  if (encryptedLine.test(text))
    throw wrong(source, `the key is encrypted, it must not be: openssl pkey -in ${source.file}`)
  if (!keyLine.test(text)) {
    throw wrong(
      source,
      text.includes('BEGIN CERTIFICATE') ? 'it holds a certificate, no key' : 'it holds no private key',
    )
  }
  try {
    createPrivateKey(bytes)
  } catch (cause) {
    throw wrong(source, `the key in it is damaged: ${reasonOf(cause)}`, cause)
  }
  return bytes
}

/** OpenSSL's message is a line of numbers and names of its own around the reason. */
function reasonOf(error: unknown): string {
  const { reason, message } = error as Error & { readonly reason?: string }
  return reason ?? message
}

/** The error of a TLS file, which names the option and the file. */
export function wrong({ option, file }: NamedFile, what: string, cause?: unknown): TlsFileError {
  return new TlsFileError(`${option} ${file}: ${what}`, { cause })
}
