import { verify } from 'node:crypto'
import type { X509Certificate } from 'node:crypto'
import { derAt, derElements, derTags } from './der.ts'
import type { DerElement } from './der.ts'

/** By the object identifier of the signature, in hexadecimal: the hash, or null where the signature has one of its own. */
const hashes: Readonly<Record<string, string | null>> = {
  '2a864886f70d010105': 'sha1',
  '2a864886f70d01010b': 'sha256',
  '2a864886f70d01010c': 'sha384',
  '2a864886f70d01010d': 'sha512',
  '2a8648ce3d040302': 'sha256',
  '2a8648ce3d040303': 'sha384',
  '2a8648ce3d040304': 'sha512',
  '2b6570': null,
  '2b6571': null,
}

/** A list of certificates that their authority has revoked (RFC 5280 §5). */
export class RevocationList {
  /** The authority's name, in DER. */
  readonly issuer: Buffer
  readonly #serials: ReadonlySet<string>
  readonly #signed: Buffer
  readonly #algorithm: string
  readonly #signature: Buffer
  /** ms since 1970. */
  readonly #begins: number
  readonly #ends: number
  readonly #hasCritical: boolean
  /** Whether an authority has signed the list. Of those that clients send nothing stays. */
  readonly #signers = new WeakMap<X509Certificate, boolean>()

  /** @throws RangeError for what is no such list */
  constructor(der: Buffer) {
    const [list, algorithm, signature] = [0, 1, 2].map(index =>
      derAt(derElements(derAt(derElements(der), 0).content), index),
    ) as [DerElement, DerElement, DerElement]
    this.#signed = list.whole
    this.#algorithm = derAt(derElements(algorithm.content), 0).content.toString('hex')
    // Behind the number of bits that are not used.
    this.#signature = signature.content.subarray(1)
    const fields = derElements(list.content)
    if (fields[0]?.tag === derTags.integer) fields.shift()
    this.issuer = derAt(fields, 1).whole
    this.#begins = timeOf(derAt(fields, 2))
    const next = fields[3]
    const hasEnd = next?.tag === derTags.utcTime || next?.tag === derTags.generalizedTime
    this.#ends = hasEnd ? timeOf(next) : Number.POSITIVE_INFINITY
    const [revoked, extensions] = partsBehind(fields.slice(hasEnd ? 4 : 3))
    this.#serials = new Set(revoked.map(({ content }) => derAt(derElements(content), 0).content.toString('hex')))
    this.#hasCritical = extensions.some(({ content }) => derElements(content)[1]?.tag === derTags.boolean)
  }

  /** Why it says nothing about certificates of `authority`; undefined: it does.
   * @param now ms since 1970 */
  problemOf(authority: X509Certificate, now: number): string | undefined {
    if (this.#begins > now) return 'is not valid yet'
    if (this.#ends < now) return 'has expired'
    if (this.#hasCritical) return 'has a critical extension, which this broker does not know'
    if (!Object.hasOwn(hashes, this.#algorithm)) return 'has a signature of a kind that this broker does not know'
    return this.#isSignedBy(authority) ? undefined : 'has a wrong signature'
  }

  /** @param serial in hexadecimal, as it is in DER */
  has(serial: string): boolean {
    return this.#serials.has(serial)
  }

  #isSignedBy(authority: X509Certificate): boolean {
    const known = this.#signers.get(authority)
    if (known !== undefined) return known
    let isSigned: boolean
    try {
      isSigned = verify(hashes[this.#algorithm], this.#signed, authority.publicKey, this.#signature)
    } catch {
      // A key of another kind than the signature.
      isSigned = false
    }
    this.#signers.set(authority, isSigned)
    return isSigned
  }
}

/** The certificates, and the extensions, each of which may be missing. */
function partsBehind(fields: readonly DerElement[]): [revoked: DerElement[], extensions: DerElement[]] {
  const extensions = fields.find(({ tag }) => tag === derTags.extensions)
  const revoked = fields.find(field => field !== extensions)
  return [
    revoked === undefined ? [] : derElements(revoked.content),
    extensions === undefined ? [] : derElements(derAt(derElements(extensions.content), 0).content),
  ]
}

/** Years of two digits are those from 1950 on (RFC 5280 §4.1.2.5.1). */
function timeOf({ tag, content }: DerElement): number {
  const text = content.toString('latin1')
  const century = tag === derTags.generalizedTime ? '' : Number(text.slice(0, 2)) < 50 ? '20' : '19'
  const [, year, month, day, hour, minute, second] =
    /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(`${century}${text}`) ?? []
  const time = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`)
  if (Number.isNaN(time)) throw new RangeError('it has no time where there must be one')
  return time
}
