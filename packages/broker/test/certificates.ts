import { spawnSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
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

  /** @param parent signs it; itself unless given */
  constructor(parent?: Authority) {
    const made = parent === undefined ? this.#signItself() : parent.#signAuthority(this)
    this.ca = made ? readFileSync(this.caFile) : Buffer.alloc(0)
  }

  #signItself(): boolean {
    const out = ['-keyout', this.#keyFile, '-out', this.caFile]
    return openssl('req', '-x509', ...newKey, ...out, '-subj', '/CN=Test authority', '-days', '2')
  }

  #signAuthority(other: Authority): boolean {
    const request = join(other.directory, 'ca.csr')
    const subject = ['-subj', '/CN=Signing authority', '-addext', 'basicConstraints=critical,CA:TRUE']
    openssl('req', ...newKey, '-keyout', other.#keyFile, '-out', request, ...subject)
    const signer = ['-CA', this.caFile, '-CAkey', this.#keyFile, '-CAcreateserial']
    return openssl(
      'x509',
      '-req',
      '-in',
      request,
      ...signer,
      '-days',
      '2',
      '-copy_extensions',
      'copy',
      '-out',
      other.caFile,
    )
  }

  /** A list of what it has revoked, in PEM.
   * @param validity when the list was made and when the next one comes, as `20200101000000Z` */
  revocationList(revoked: readonly Certificate[], validity: readonly [string, string] = ['', '']): Buffer {
    const [index, config, out] = ['index.txt', 'crl.cnf', 'crl.pem'].map(name => join(this.directory, name)) as [
      string,
      string,
      string,
    ]
    const lines = revoked.map(({ cert }) => {
      const { serialNumber } = new X509Certificate(cert)
      return `R\t350101000000Z\t200101000000Z\t${serialNumber}\tunknown\t/CN=x\n`
    })
    writeFileSync(index, lines.join(''))
    writeFileSync(config, `[ca]\ndefault_ca=d\n[d]\ndatabase=${index}\ndefault_md=sha256\n`)
    const [last, next] = validity
    const times = next === '' ? ['-crldays', '2'] : ['-crl_lastupdate', last, '-crl_nextupdate', next]
    const signer = ['-cert', this.caFile, '-keyfile', this.#keyFile]
    openssl('ca', '-gencrl', '-config', config, ...signer, ...times, '-out', out)
    return readFileSync(out)
  }

  /** A directory with OpenSSL's names for files of certificates. */
  hashed(name: string, files: readonly string[]): string {
    const directory = join(this.directory, name)
    mkdirSync(directory)
    for (const [index, file] of files.entries()) copyFileSync(file, join(directory, `${index}.pem`))
    openssl('rehash', directory)
    return directory
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
