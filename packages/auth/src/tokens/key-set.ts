import { createLocalJWKSet } from 'jose'
import type { JSONWebKeySet, JWTVerifyGetKey } from 'jose'
import { AuthError } from '../auth-error.ts'

/** @throws AuthError `TOKEN_KEYS_INVALID` */
export function keySetOf(value: unknown): JWTVerifyGetKey {
  try {
    return createLocalJWKSet(value as JSONWebKeySet)
  } catch (cause) {
    throw invalid('the keys of tokens are no JSON Web Key Set: {"keys": [{"kty": …}]}', cause)
  }
}

/** The error of keys that are none. */
export function invalid(what: string, cause?: unknown): AuthError {
  return new AuthError('TOKEN_KEYS_INVALID', what, undefined, cause)
}
