import type { Clock, Counters, MaybePromise } from '@x/contract'
import { BrokerError } from '../ground/broker-error.ts'
import { LeakyBuckets, shortened } from './leaky-buckets.ts'
import { ReasonCode } from '../ground/reason-code.ts'
import type { CheckedOptions } from '../ground/limits.ts'

/** What it needs of the engine. */
interface LoginGuardHost {
  readonly clock: Clock
  readonly counters: Counters
  readonly options: CheckedOptions
}

/** A client that wants to log in. */
export interface Applicant {
  /** Undefined: not known. */
  readonly address: string | undefined
  /** The user name, or the client identifier if there is none. */
  readonly name: string
}

/** Pairs of name and address, and addresses, that are remembered as having logged in. */
const mostKnown = 32_768

/** Counts failed logins, so that passwords can't be guessed at the speed of the wire. The hook `authenticate` is not asked about a
 * client that has failed too often. Names and addresses are counted whether or not the name exists, so a refusal does not reveal it.
 *
 * - One name from one address: refused until its failures have leaked away. Other addresses are not affected.
 * - One address with any names: refused in the same way.
 * - One name from all addresses together: only delayed, since otherwise anybody could lock out its owner.
 *
 * An address from which somebody has logged in may be shared: by a fleet behind one NAT, or by everybody behind a proxy that does not
 * tell addresses. There logins are delayed instead of refused, since otherwise a few devices with an old password, or one attacker,
 * would lock out all others. */
export class LoginGuard {
  readonly #engine: LoginGuardHost
  readonly #pairs: LeakyBuckets
  readonly #addresses: LeakyBuckets
  readonly #names: LeakyBuckets
  readonly #knownPairs = new RecentKeys()
  readonly #knownAddresses = new RecentKeys()

  constructor(engine: LoginGuardHost) {
    const { maximumFailedLogins, maximumFailedLoginsPerAddress } = engine.options
    this.#engine = engine
    this.#pairs = new LeakyBuckets(maximumFailedLogins)
    this.#addresses = new LeakyBuckets(maximumFailedLoginsPerAddress)
    this.#names = new LeakyBuckets(maximumFailedLogins)
  }

  /** Returns why the applicant may not log in now. */
  problemOf(applicant: Applicant): BrokerError | undefined {
    const { address, name } = applicant
    if (address === undefined) return undefined
    const { clock, options } = this.#engine
    const now = clock.now()
    const pair = pairOf(address, name)
    if (this.#pairs.isFull(pair, now) && !this.#knownPairs.has(pair)) {
      return tooMany(`with one name from ${address}`, 'maximumFailedLogins', options.maximumFailedLogins)
    }
    if (!this.#addresses.isFull(address, now) || this.#knownAddresses.has(address)) return undefined
    return tooMany(`from ${address}`, 'maximumFailedLoginsPerAddress', options.maximumFailedLoginsPerAddress)
  }

  /** Settles when the hook may be asked: at once, or after `failedLoginDelay`. */
  delay({ address, name }: Applicant): MaybePromise<void> {
    const { clock, counters, options } = this.#engine
    const now = clock.now()
    const isSuspect =
      this.#names.isFull(name, now) ||
      (address !== undefined &&
        (this.#pairs.isFull(pairOf(address, name), now) ||
          (this.#addresses.isFull(address, now) && !this.#knownPairs.has(pairOf(address, name)))))
    if (!isSuspect || options.failedLoginDelay === 0) return undefined
    counters.loginsDelayed += 1
    return new Promise(resolve => {
      clock.setTimeout(resolve, options.failedLoginDelay)
    })
  }

  failed({ address, name }: Applicant): void {
    const now = this.#engine.clock.now()
    this.#names.add(name, now)
    if (address === undefined) return
    this.#pairs.add(pairOf(address, name), now)
    this.#addresses.add(address, now)
  }

  succeeded({ address, name }: Applicant): void {
    if (address === undefined) return
    this.#knownPairs.add(pairOf(address, name))
    this.#knownAddresses.add(address)
  }
}

/** A bounded set of the keys that were added last. */
class RecentKeys {
  /** Least recently added first; at most `mostKnown`. */
  readonly #keys = new Set<string>()

  has(key: string): boolean {
    return this.#keys.has(key)
  }

  add(key: string): void {
    this.#keys.delete(key)
    this.#keys.add(key)
    if (this.#keys.size <= mostKnown) return
    const [oldest] = this.#keys
    this.#keys.delete(oldest as string)
  }
}

function pairOf(address: string, name: string): string {
  return shortened(`${address} ${name}`)
}

function tooMany(what: string, option: string, limit: number): BrokerError {
  return new BrokerError('FAILED_LOGINS_EXCEEDED', {
    message: 'too many failed logins',
    detail: `${what} in the last minute, the limit ${option} is ${limit}`,
    reasonCode: ReasonCode.connectionRateExceeded,
  })
}
