import type { MaybePromise } from '@x/contract'
import { BrokerError } from './broker-error.ts'
import type { Engine } from './engine.ts'
import { LeakyBuckets, shortened } from './leaky-buckets.ts'
import { ReasonCode } from './reason-code.ts'

/** Who wants to log in. */
export interface Applicant {
  /** Undefined: not known. */
  readonly address: string | undefined
  /** The user name; without one the client identifier stands for it. */
  readonly name: string
}

/** Logins that are remembered as having succeeded. */
const mostKnown = 32_768

/** Who has logged in with a name from an address before may fail so many times as often, being slowed down instead of refused: others
 * at the same address, behind one NAT, must not shut it out. */
const patience = 10

/** Counts failed logins, so that passwords can't be guessed at the speed of the wire. The hook `authenticate` isn't asked by who has
 * failed too often; what is counted are names and addresses alone, so a refusal says nothing about whether a name exists.
 *
 * - One name from one address: refused until its failures have run off. That costs nobody elsewhere.
 * - One address with any names: refused, except with names that have logged in from there.
 * - One name from all addresses together: only delayed, or anybody could shut out its owner. */
export class LoginGuard {
  readonly #engine: Engine
  readonly #pairs: LeakyBuckets
  readonly #addresses: LeakyBuckets
  readonly #names: LeakyBuckets
  /** Least recently used first. */
  readonly #known = new Set<string>()

  constructor(engine: Engine) {
    const { maximumFailedLogins, maximumFailedLoginsPerAddress } = engine.options
    this.#engine = engine
    this.#pairs = new LeakyBuckets(maximumFailedLogins)
    this.#addresses = new LeakyBuckets(maximumFailedLoginsPerAddress)
    this.#names = new LeakyBuckets(maximumFailedLogins)
  }

  /** Why the applicant may not try now. */
  problemOf(applicant: Applicant): BrokerError | undefined {
    const { address, name } = applicant
    if (address === undefined) return undefined
    const { clock, options } = this.#engine
    const now = clock.now()
    const pair = pairOf(address, name)
    const isKnown = this.#known.has(pair)
    if (this.#pairs.isFull(pair, now, isKnown ? patience : 1)) {
      return tooMany(`with one name from ${address}`, 'maximumFailedLogins', options.maximumFailedLogins)
    }
    if (isKnown || !this.#addresses.isFull(address, now)) return undefined
    return tooMany(`from ${address}`, 'maximumFailedLoginsPerAddress', options.maximumFailedLoginsPerAddress)
  }

  /** Settles when the applicant may be looked at: at once, or after `failedLoginDelay`. */
  delay({ address, name }: Applicant): MaybePromise<void> {
    const { clock, counters, options } = this.#engine
    const now = clock.now()
    const isSuspect =
      this.#names.isFull(name, now) || (address !== undefined && this.#pairs.isFull(pairOf(address, name), now))
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
    const pair = pairOf(address, name)
    this.#known.delete(pair)
    this.#known.add(pair)
    if (this.#known.size <= mostKnown) return
    const [oldest] = this.#known
    this.#known.delete(oldest as string)
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
