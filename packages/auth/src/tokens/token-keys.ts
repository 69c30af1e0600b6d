import { createPublicKey } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import type { JSONWebKeySet, JWTVerifyGetKey } from 'jose'
import { invalid, keySetOf } from './key-set.ts'
import { RemoteKeys } from './remote-keys.ts'

/** Where the keys are that tokens are checked with: one of these. */
export interface TokenKeyOptions {
  /** Known to the issuer of the tokens, 32 bytes or more: HS256, HS384, HS512. */
  readonly secret?: Uint8Array
  /** A public key or certificate in PEM: RS256 to PS512, ES256 to ES512, EdDSA, by its kind. */
  readonly publicKey?: string
  /** A JSON Web Key Set; the token's `kid` chooses. */
  readonly keys?: JSONWebKeySet
  /** URL of one. It is read when the first token comes, and again every 10 minutes and when a `kid` is unknown, which happens once in 30
   * seconds at most. While it can't be read, the keys from before count. */
  readonly keysUrl?: string
}

/** Keys, and what they may be used for. */
export interface TokenKeys {
  readonly key: Uint8Array | KeyObject | JWTVerifyGetKey
  readonly algorithms: readonly string[]
}

const leastSecret = 32
const shared = ['HS256', 'HS384', 'HS512'] as const
const rsa = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'] as const
const curves: Readonly<Record<string, string>> = { prime256v1: 'ES256', secp384r1: 'ES384', secp521r1: 'ES512' }
const edwards = ['EdDSA', 'Ed25519'] as const
/** A set of public keys never checks a token that anybody can make who knows them. */
const asymmetric = [...rsa, ...Object.values(curves), ...edwards] as const

/** @throws AuthError `TOKEN_KEYS_INVALID` */
export function tokenKeysOf({ secret, publicKey, keys, keysUrl }: TokenKeyOptions): TokenKeys {
  const given = Object.entries({ secret, publicKey, keys, keysUrl }).filter(([, value]) => value !== undefined)
  if (given.length !== 1) {
    const names = given.map(([name]) => name).join(' and ') || 'none'
    throw invalid(`keys of tokens are given by ${names}, it must be one of secret, publicKey, keys and keysUrl`)
  }
  if (secret !== undefined) return { key: checkedSecret(secret), algorithms: shared }
  if (publicKey !== undefined) return publicKeyOf(publicKey)
  if (keysUrl !== undefined) {
    const remote = new RemoteKeys(keysUrl)
    return { key: (header, token) => remote.find(header, token), algorithms: asymmetric }
  }
  return { key: keySetOf(keys), algorithms: asymmetric }
}

function checkedSecret(secret: Uint8Array): Uint8Array {
  if (secret.length >= leastSecret) return secret
  throw invalid(`the secret of tokens has ${secret.length} bytes, it must have ${leastSecret} or more`)
}

function publicKeyOf(pem: string): TokenKeys {
  let key: KeyObject
  try {
    if (pem.includes('PRIVATE KEY')) throw new Error('it is a private key')
    key = createPublicKey(pem)
  } catch (cause) {
    throw invalid(`the public key of tokens can't be read: ${(cause as Error).message}`, cause)
  }
  const { asymmetricKeyType: kind, asymmetricKeyDetails: { namedCurve = '' } = {} } = key
  const curve = curves[namedCurve]
  if (kind === 'rsa') return { key, algorithms: rsa }
  if (kind === 'ec' && curve !== undefined) return { key, algorithms: [curve] }
  if (kind === 'ed25519') return { key, algorithms: edwards }
  throw invalid(
    `the public key of tokens is of kind ${kind} ${namedCurve}, it must be RSA, P-256, P-384, P-521 or Ed25519`,
  )
}
