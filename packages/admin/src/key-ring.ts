import { createHash } from 'node:crypto'
import type { MaybePromise } from '@x/contract'
import { basicLogin } from './basic-login.ts'
import { Problem } from './problem.ts'
import type { Principal, Role } from './principal.ts'

/** A key that requests bring as `Authorization: Bearer KEY`. */
export interface AdminKey {
  /** Shown in the log. */
  readonly name: string
  readonly role: Role
  /** 16 characters or more. */
  readonly key: string
}

/** Somebody who gives user name and password. */
export interface AdminLogin {
  readonly username: string
  readonly password: string
  readonly address: string
}

/** Who may ask. */
export interface KeyRingOptions {
  readonly keys: readonly AdminKey[]
  /** Roles of users, whose passwords `verify` knows. */
  readonly users: Readonly<Record<string, Role>>
  readonly verify: ((login: AdminLogin) => MaybePromise<boolean>) | undefined
}

/** Tells by the header of a request who sends it. */
export class KeyRing {
  /** By the hash of the key, so that a look-up takes no longer for a key that is nearly right. */
  readonly #keys: ReadonlyMap<string, Principal>
  readonly #users: ReadonlyMap<string, Role>
  readonly #verify: KeyRingOptions['verify']

  constructor({ keys, users, verify }: KeyRingOptions) {
    this.#keys = new Map(keys.map(({ name, role, key }) => [hashOf(key), { name, role }]))
    this.#users = new Map(Object.entries(users))
    this.#verify = verify
  }

  /** @param header `Authorization`
   * @throws Problem `KEY_MISSING`, `KEY_INVALID` */
  async principalOf(header: string | undefined, address: string): Promise<Principal> {
    if (header === undefined) throw new Problem('KEY_MISSING', 'the header Authorization is missing')
    const space = header.indexOf(' ')
    const scheme = header.slice(0, Math.max(0, space)).toLowerCase()
    const found = await this.#find(scheme, header.slice(space + 1), address)
    if (found === undefined) throw new Problem('KEY_INVALID', 'there is no such key, or user with this password')
    return found
  }

  async #find(scheme: string, credentials: string, address: string): Promise<Principal | undefined> {
    if (scheme === 'bearer') return this.#keys.get(hashOf(credentials))
    if (scheme !== 'basic') return undefined
    const { username, password } = basicLogin(credentials)
    const role = this.#users.get(username)
    // Unknown names are checked too, so that the time does not tell them from known ones.
    const isRight = (await this.#verify?.({ username, password, address })) === true
    return role !== undefined && isRight ? { name: username, role } : undefined
  }
}

function hashOf(key: string): string {
  return createHash('sha256').update(key).digest('base64')
}
