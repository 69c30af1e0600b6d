import { z } from 'zod'

const text = z.string().min(1)

/** Files and settings of one listener's TLS. */
export interface TlsConfig {
  cert?: string | undefined
  key?: string | undefined
  ca?: string | undefined
  caDirectory?: string | undefined
  crl?: string | undefined
  clientCertificates?: 'none' | 'optional' | 'required' | undefined
  identityAsUsername?: boolean | 'subject' | 'alternativeName' | undefined
  psk?: string | undefined
  pskHint?: string | undefined
  ciphers?: string | undefined
  minVersion?: 'TLSv1.2' | 'TLSv1.3' | undefined
  servers?: readonly { name: string; cert: string; key: string }[] | undefined
}

/** The same as a schema. */
export const tlsSchema: z.ZodType<TlsConfig> = z
  .strictObject({
    cert: text.optional().describe('file: certificate, with those that sign it (PEM)'),
    key: text.optional().describe('file: its key (PEM, not encrypted)'),
    ca: text
      .optional()
      .describe(
        "file: who signs the clients' certificates (PEM); completes the chain of `cert`, when that file has one alone",
      ),
    caDirectory: text
      .optional()
      .describe("directory: the same, in files with OpenSSL's names for them, such as `9d66eef0.0` (`openssl rehash`)"),
    crl: text
      .optional()
      .describe(
        "file: revocation lists (PEM) of the authority that signs the clients' certificates; without a valid one of it all are refused. Lists of authorities above it are looked into when they are there",
      ),
    clientCertificates: z
      .enum(['none', 'optional', 'required'])
      .optional()
      .describe("whether clients show a certificate; 'required' where `ca` or `caDirectory` is given, else 'none'"),
    identityAsUsername: z
      .union([z.boolean(), z.enum(['subject', 'alternativeName'])])
      .optional()
      .describe(
        "the certificate's Common Name, or the PSK identity, is the user name, and no password is asked for; `subject`: the whole subject, as RFC 2253 writes it; `alternativeName`: the first DNS name, email address or URI of its subject alternative names",
      ),
    psk: text.optional().describe('file: pre-shared keys, lines `identity:hexadecimal`'),
    pskHint: text.optional().describe('hint for clients with a pre-shared key'),
    ciphers: text.optional().describe("OpenSSL's list of cipher suites; those of TLS 1.3 by their full names"),
    minVersion: z.enum(['TLSv1.2', 'TLSv1.3']).optional().describe('lowest version of TLS'),
    servers: z
      .array(z.strictObject({ name: text, cert: text, key: text }))
      .optional()
      .describe('further certificates by server name (SNI)'),
  })
  .describe('TLS: `cert` and `key`, or `psk`')
