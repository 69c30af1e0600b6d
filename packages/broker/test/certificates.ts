import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A certificate and its key, as files and as what they hold. */
export interface Certificate {
  readonly certFile: string
  readonly keyFile: string
  readonly cert: Buffer
  readonly key: Buffer
}

/** An authority that signs whatever a test asks for, by openssl. */
export class Authority {
  readonly directory: string = mkdtempSync(join(tmpdir(), 'certificates-'))
  readonly caFile: string = join(this.directory, 'ca.pem')
  readonly ca: Buffer
  readonly #keyFile: string = join(this.directory, 'ca.key')

  constructor() {
    const made = openssl(
      'req',
      '-x509',
      ...newKey,
      '-keyout',
      this.#keyFile,
      '-out',
      this.caFile,
      '-subj',
      '/CN=Test authority',
      '-days',
      '2',
    )
    this.ca = made ? readFileSync(this.caFile) : Buffer.alloc(0)
  }

  /** Whether openssl is there. */
  get works(): boolean {
    return this.ca.length > 0
  }

  /** A certificate for `name`, also as DNS name and for 127.0.0.1. Days may be negative: it has expired then. */
  sign(name: string, days = 2, subject = `/CN=${name}`): Certificate {
    const base = join(this.directory, `${name}-${Math.random().toString(36).slice(2)}`)
    const [certFile, keyFile, request] = [`${base}.pem`, `${base}.key`, `${base}.csr`]
    const alternative = `subjectAltName=DNS:${name},IP:127.0.0.1`
    openssl('req', ...newKey, '-utf8', '-keyout', keyFile, '-out', request, '-subj', subject, '-addext', alternative)
    openssl(
      'x509',
      '-req',
      '-in',
      request,
      '-CA',
      this.caFile,
      '-CAkey',
      this.#keyFile,
      '-CAcreateserial',
      '-days',
      `${days}`,
      '-copy_extensions',
      'copy',
      '-out',
      certFile,
    )
    return { certFile, keyFile, cert: readFileSync(certFile), key: readFileSync(keyFile) }
  }

  remove(): void {
    rmSync(this.directory, { recursive: true })
  }
}

const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']

function openssl(...parameters: readonly string[]): boolean {
  const { error, status, stderr } = spawnSync('openssl', parameters, { encoding: 'utf8' })
  if (error !== undefined) return false
  if (status !== 0) throw new Error(`openssl ${parameters.join(' ')}: ${stderr}`)
  return true
}
