import { constants } from 'node:crypto'
import { DEFAULT_CIPHERS, createServer } from 'node:tls'
import type {
  DetailedPeerCertificate,
  SecureContextOptions,
  Server,
  TLSSocket,
  TlsOptions as NodeTlsOptions,
} from 'node:tls'
import type { Duplex } from 'node:stream'
import { alternativeName } from './alternative-name.ts'
import { ConnectionRefused } from './refused.ts'
import { RevocationLists } from './revocation-lists.ts'

/** Node's options of `tls.createServer` (`key`, `cert`, `ca`, `requestCert`, `pskCallback`, `minVersion`, …), and: */
export interface TlsOptions extends NodeTlsOptions {
  /** Revocation lists in PEM, of the authority that has signed the clients' certificates; a client whose certificate is on one, or has none,
   * is refused. Lists of authorities above it may be missing, which Node's `crl` wants to the root. Authorities are those of `ca`, and what
   * the client sends. */
  readonly revocationLists?: string | Buffer
  /** Certificates of further server names, for clients that name theirs (SNI); `*.example.org` fits one level. */
  readonly servers?: Readonly<Record<string, SecureContextOptions>>
  /** The Common Name of the client's certificate, or its PSK identity, takes the place of the user name; a client with neither is
   * refused. With `'subject'` it is the certificate's whole subject, as RFC 2253 writes it: `CN=ada,O=Works,C=GB`; with
   * `'alternativeName'` the first DNS name, email address or URI of its subject alternative names. */
  readonly identityAsUsername?: boolean | 'subject' | 'alternativeName'
}

/** What the TLS of a listener tells the listener. */
export interface TlsHost {
  secured(socket: TLSSocket): void
  refused(error: Error, socket: Duplex): void
}

const names = ['mqtt', 'http/1.1']

/** Node has the parts one by one, the least specific first, and leaves characters beyond ASCII as they are. */
function subjectOf(socket: TLSSocket): string | undefined {
  const parts = socket.getPeerX509Certificate()?.subject.split('\n').toReversed().join(',')
  return parts?.replaceAll(/[^\0-\x7f]+/g, beyondAscii)
}

function beyondAscii(characters: string): string {
  return [...Buffer.from(characters)].map(byte => `\\${byte.toString(16).toUpperCase()}`).join('')
}

/** Node's, behind the suites of pre-shared keys, those with forward secrecy first: only a client with a key offers them, and it may offer
 * a certificate's as well. Node's `!PSK` goes, since it would exclude them for good. TLS 1.3 has the same suites for both. */
const pskCiphers = ['kECDHEPSK', 'PSK', ...DEFAULT_CIPHERS.split(':').filter(name => name !== '!PSK')].join(':')

/** TLS on connections that are given to it. */
export class TlsLayer {
  readonly #server: Server
  #options: TlsOptions
  #revocationLists: RevocationLists | undefined
  /** By which pre-shared key a client came. */
  readonly #identities = new WeakMap<TLSSocket, string>()

  /** @throws Error of Node for a key or certificate that cannot be read */
  constructor(host: TlsHost, options: TlsOptions, handshakeTimeout: number) {
    this.#options = options
    this.#revocationLists = revocationListsOf(options)
    this.#server = createServer({ handshakeTimeout, ...this.#settings(options) }, socket => this.#secured(host, socket))
    this.#addServers(options)
    this.#server.on('tlsClientError', (error: NodeJS.ErrnoException, socket: TLSSocket) => {
      host.refused(problemOf(error, socket), socket)
      socket.destroy()
    })
  }

  serve(socket: Duplex): void {
    this.#server.emit('connection', socket)
  }

  /** Takes new keys and certificates for connections to come; those that are open stay.
   * @throws Error of Node for what cannot be read; the old ones stay then */
  reload(options: TlsOptions): void {
    const merged = { ...this.#options, ...options }
    const lists = revocationListsOf(merged)
    // Read by a server that is thrown away: a bad file must not leave this one with half of the new ones.
    for (const one of [merged, ...Object.values(merged.servers ?? {})]) createServer(this.#settings(one)).close()
    this.#server.setSecureContext(this.#settings(merged))
    this.#addServers(merged)
    this.#options = merged
    this.#revocationLists = lists
  }

  /** What the client proved to be: its PSK identity, or what its certificate says of it. */
  identityOf(socket: TLSSocket): string | undefined {
    const identity = this.#identities.get(socket)
    if (identity !== undefined) return identity
    if (!socket.authorized) return undefined
    if (this.#options.identityAsUsername === 'subject') return subjectOf(socket)
    const { subject, subjectaltname } = socket.getPeerCertificate() as {
      subject?: { CN?: string | string[] }
      subjectaltname?: string
    }
    if (this.#options.identityAsUsername === 'alternativeName') return alternativeName(subjectaltname)
    const [name] = [subject?.CN ?? []].flat()
    return name
  }

  get usesIdentities(): boolean {
    const { identityAsUsername = false } = this.#options
    return identityAsUsername !== false
  }

  /** Node has verified the chain; whether it has been revoked is seen here. */
  #secured(host: TlsHost, socket: TLSSocket): void {
    const lists = socket.authorized ? this.#revocationLists : undefined
    const problem = lists && problemIn(lists, socket.getPeerCertificate(true))
    if (problem === undefined) host.secured(socket)
    else if (this.#options.rejectUnauthorized === false) {
      // As Node has it for certificates which it finds wrong itself.
      host.secured(Object.assign(socket, { authorized: false, authorizationError: new Error(problem) }))
    } else host.refused(new ConnectionRefused('CERTIFICATE_REFUSED', `the client's certificate: ${problem}`), socket)
  }

  #addServers(options: TlsOptions): void {
    // The suites are those of the name that a client has asked for.
    const { ciphers } = this.#settings(options)
    for (const [name, context] of Object.entries(options.servers ?? {})) {
      this.#server.addContext(name, { ...(ciphers !== undefined && { ciphers }), ...context })
    }
  }

  #settings(options: TlsOptions): NodeTlsOptions {
    const {
      pskCallback,
      ciphers,
      servers: _servers,
      identityAsUsername: _identity,
      revocationLists: lists,
      ...given
    } = options
    // A session that is resumed has the client's certificate, and not those that came with it.
    const rest =
      lists === undefined ? given : { ...given, secureOptions: (given.secureOptions ?? 0) | constants.SSL_OP_NO_TICKET }
    if (pskCallback === undefined) return { ALPNProtocols: names, ...rest, ...(ciphers !== undefined && { ciphers }) }
    return {
      ALPNProtocols: names,
      ...rest,
      ciphers: ciphers ?? pskCiphers,
      pskCallback: (socket, identity) => {
        // Of the options as they are now: keys may have been read again.
        const key = this.#options.pskCallback?.(socket, identity) ?? null
        if (key !== null) this.#identities.set(socket, identity)
        return key
      },
    }
  }
}

/** @throws RangeError for what is no list */
function revocationListsOf({ revocationLists, ca }: TlsOptions): RevocationLists | undefined {
  return revocationLists === undefined
    ? undefined
    : new RevocationLists(String(revocationLists), [ca ?? []].flat().map(String).join('\n'))
}

/** What OpenSSL means, where somebody has taken the wrong port. */
const meanings: Readonly<Record<string, string>> = {
  'wrong version number': 'the peer does not speak TLS, such as an MQTT client that is set up without',
  'http request': 'the peer speaks HTTP without TLS',
}

/** Node ends a connection whose certificate it does not accept without saying so in the error. */
function problemOf(error: NodeJS.ErrnoException, socket: TLSSocket): ConnectionRefused {
  const { authorizationError } = socket as { authorizationError?: Error | string | null }
  if (authorizationError) {
    const reason = typeof authorizationError === 'string' ? authorizationError : authorizationError.message
    return new ConnectionRefused('CERTIFICATE_REFUSED', `the client's certificate: ${reason}`, error)
  }
  if (error.code === 'ERR_TLS_HANDSHAKE_TIMEOUT') {
    return new ConnectionRefused('HANDSHAKE_TIMEOUT', 'the TLS handshake took longer than connectTimeout', error)
  }
  // OpenSSL's own message is a line of numbers and file names around this.
  const { reason = error.message } = error as { reason?: string }
  const meaning = meanings[reason]
  return new ConnectionRefused('TLS_FAILED', `TLS: ${reason}${meaning === undefined ? '' : `: ${meaning}`}`, error)
}

/** The socket that a TLSSocket stands on, which outlives it. Node has it under this name and no public one. */
export function beneath(socket: Duplex): Duplex {
  return (socket as { _parent?: Duplex })._parent ?? socket
}

/** What a client sends besides its certificate has passed OpenSSL, which reads more than DER. */
function problemIn(lists: RevocationLists, peer: DetailedPeerCertificate): string | undefined {
  try {
    // Without a certificate the object is empty.
    return Buffer.isBuffer(peer.raw) ? lists.problemOf(peer, Date.now()) : undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
