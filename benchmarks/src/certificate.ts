import { spawnSync } from 'node:child_process'
import { join } from 'node:path'

/** A key and a certificate that it signed itself, as files in the directory, by openssl. */
export function makeCertificate(directory: string): { readonly cert: string; readonly key: string } {
  const [cert, key] = [join(directory, 'cert.pem'), join(directory, 'key.pem')]
  const request = 'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost'
  const { error, status } = spawnSync('openssl', [...request.split(' '), '-keyout', key, '-out', cert])
  if (error !== undefined || status !== 0) throw new Error('openssl is missing, or made no certificate')
  return { cert, key }
}
