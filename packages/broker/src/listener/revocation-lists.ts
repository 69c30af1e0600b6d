import { X509Certificate } from 'node:crypto'
import type { DetailedPeerCertificate } from 'node:tls'
import { derAt, derElements, derTags } from './der.ts'
import { RevocationList } from './revocation-list.ts'

const listBlock = /-----BEGIN X509 CRL-----([^-]+)-----END X509 CRL-----/g
const listBegin = '-----BEGIN X509 CRL-----'
const certificateBlock = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g

/** Certificates of one chain that are looked at; OpenSSL takes no more, either. */
const longestChain = 100

/** What authorities have revoked. A client's certificate needs a list of the authority that has signed it; an authority's own is looked up
 * where there is a list. Node would ask for the lists of all authorities, to the root. The chain is followed to a root that is known,
 * whatever OpenSSL has made of it: a client may send any certificate besides. */
export class RevocationLists {
  readonly #lists: readonly RevocationList[]
  readonly #authorities: readonly X509Certificate[]

  /** @param pem the lists
   * @param authorities certificates of authorities, in PEM
   * @throws RangeError for what is no list */
  constructor(pem: string, authorities: string) {
    this.#lists = [...pem.matchAll(listBlock)].map(
      ([, base64 = '']) => new RevocationList(Buffer.from(base64, 'base64')),
    )
    if (this.#lists.length === 0) throw new RangeError('it holds no revocation list in PEM')
    if (this.#lists.length < pem.split(listBegin).length - 1) throw new RangeError('one of its lists has no end')
    this.#authorities = (authorities.match(certificateBlock) ?? []).map(block => new X509Certificate(block))
  }

  /** Why a client with this certificate, whose chain was verified, is refused; undefined: it is not.
   * @param peer with the certificates that the client has sent
   * @param now ms since 1970 */
  problemOf(peer: DetailedPeerCertificate, now: number): string | undefined {
    const certificate = new X509Certificate(peer.raw)
    const sent: X509Certificate[] = []
    let last = peer
    // Node has a root's own certificate as its issuer, and none behind an authority that is not known.
    let issuer = last.issuerCertificate as DetailedPeerCertificate | undefined
    while (issuer !== undefined && issuer !== last && sent.length < longestChain) {
      sent.push(new X509Certificate(issuer.raw))
      last = issuer
      issuer = last.issuerCertificate
    }
    const authorities = [...this.#authorities, ...sent]
    let checked = certificate
    for (let depth = 0; depth < longestChain; depth += 1) {
      const names = namesOf(checked)
      if (names.isRoot && depth > 0 && this.#knows(checked)) return undefined
      const lists = this.#lists.filter(list => list.issuer.equals(names.issuer))
      const signer = signerOf(checked, authorities)
      if (signer === undefined) return 'its authority is not among those that are known'
      const problem =
        lists.length === 0 && depth > 0 ? undefined : problemIn(lists, signer, { serial: names.serial, now })
      if (problem !== undefined) return problem
      checked = signer
    }
    return 'its chain is too long'
  }

  #knows({ raw }: X509Certificate): boolean {
    return this.#authorities.some(authority => authority.raw.equals(raw))
  }
}

function problemIn(
  lists: readonly RevocationList[],
  signer: X509Certificate,
  { serial, now }: { readonly serial: string; readonly now: number },
): string | undefined {
  if (lists.length === 0) return 'UNABLE_TO_GET_CRL: no revocation list of the authority that has signed it is given'
  const problems = lists.map(list => list.problemOf(signer, now))
  const usable = lists.filter((_list, index) => problems[index] === undefined)
  if (usable.length === 0) return `the revocation list of the authority that has signed it ${problems[0]}`
  return usable.some(list => list.has(serial)) ? 'CERT_REVOKED: it is revoked' : undefined
}

function signerOf(certificate: X509Certificate, authorities: readonly X509Certificate[]): X509Certificate | undefined {
  return authorities.find(one => certificate.checkIssued(one) && certificate.verify(one.publicKey))
}

/** As they are in DER, the way in which lists have them. */
function namesOf({ raw }: X509Certificate): { serial: string; issuer: Buffer; isRoot: boolean } {
  const fields = derElements(derAt(derElements(derAt(derElements(raw), 0).content), 0).content)
  if (fields[0]?.tag === derTags.extensions) fields.shift()
  const issuer = derAt(fields, 2).whole
  return {
    serial: derAt(fields, 0).content.toString('hex'),
    issuer,
    isRoot: issuer.equals(derAt(fields, 4).whole),
  }
}
