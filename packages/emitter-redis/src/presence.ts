import { Following } from '@x/redis-connection'
import type { EmitterCounters } from './emitter-counters.ts'
import { EmitterError } from './emitter-error.ts'

/** Milliseconds after which a broker that did not renew is taken for dead. */
export const leaseDuration = 10_000

/** Milliseconds between two looks into the inbox, and after one that has found something which may be lost. */
const [lookInterval, secondLook] = [600, 400]
/** Milliseconds after which the lease is renewed, by the next look. */
const renewInterval = 1700

/** What the lease needs, and whom it tells. */
export interface PresenceHost {
  readonly brokerId: string
  readonly counters: EmitterCounters
  report(error: EmitterError): void
  /** Says that this broker is here, with all its routes, and learns those of the others. */
  join(): Promise<void>
  /** Says that it lives. */
  renew(): Promise<Renewal>
  /** Looks into the inbox. */
  tend(): Promise<InboxLook>
}

/** What a look at the inbox has found. */
export interface InboxLook {
  /** It had ended. */
  readonly lost: boolean
  /** What is there has not arrived yet: the next look says whether it is lost. */
  readonly mayMiss: boolean
}

/** What Redis says to a broker that renews. */
export interface Renewal {
  /** The others have forgotten this broker. */
  readonly lost: boolean
  readonly inbox: InboxLook
  /** Returns whether all routes of the others are known here. */
  readonly known: () => Promise<boolean>
}

/** That this broker is there for the others, and how it notices when they must think otherwise. */
export class Presence {
  readonly #host: PresenceHost
  readonly #following: Following
  #timer: NodeJS.Timeout | undefined
  #joining: Promise<void> | undefined
  /** Redis may not have all own routes. */
  #outdated = false
  #renewedAt = performance.now()
  #renewAt = 0
  #mayMiss = false
  /** It was reported, and not all is well since then. */
  #lost = false
  #ended = false

  constructor(host: PresenceHost) {
    this.#host = host
    this.#following = new Following(async () => this.#renew())
  }

  /** Whether what is known of the others' routes is all of it. */
  get isReliable(): boolean {
    return this.#following.isReliable
  }

  /** Whether the others have all own routes: its lease can't have ended, and nothing has failed to be told. */
  get stands(): boolean {
    return !this.#outdated && this.#joining === undefined && performance.now() - this.#renewedAt < leaseDuration
  }

  /** Resolves once it {@link stands}, and the others know. */
  async confirm(): Promise<void> {
    // What was asked before this process stood still may be answered first.
    for (let attempt = 1; !this.stands; attempt += 1) {
      if (this.#ended || attempt > 3) {
        const message = `the lease of broker ${this.#host.brokerId} could not be confirmed`
        throw new EmitterError('UNAVAILABLE', { message })
      }
      await this.#joining
      await this.#following.renew()
    }
  }

  async begin(): Promise<void> {
    await this.join()
    await this.#tick()
    this.#schedule()
  }

  end(): void {
    this.#ended = true
    if (this.#timer !== undefined) clearTimeout(this.#timer)
  }

  /** Renews now. Returns whether {@link isReliable}. */
  async renew(): Promise<boolean> {
    return this.#following.renew()
  }

  /** News may have been lost. */
  resumed(): void {
    this.#following.restart()
    this.#renewAt = 0
    void this.#tick()
  }

  /** Redis may not have all own routes: they are told again when the lease is renewed. */
  outdated(): void {
    this.#outdated = true
    this.#renewAt = 0
  }

  /** The others have forgotten this broker: they are told again. */
  async lose(): Promise<void> {
    if (this.#ended) return
    this.#reportLost()
    await this.join()
  }

  async join(): Promise<void> {
    this.#joining ??= this.#join().finally(() => {
      this.#joining = undefined
    })
    await this.#joining
  }

  async #join(): Promise<void> {
    this.#outdated = false
    this.#renewAt = 0
    try {
      await this.#host.join()
    } catch (error) {
      this.#outdated = true
      throw error
    }
  }

  #schedule(): void {
    if (this.#ended) return
    const wait = this.#mayMiss ? secondLook : lookInterval
    this.#timer = setTimeout(() => void this.#tick().then(() => this.#schedule()), wait)
    this.#timer.unref()
  }

  async #tick(): Promise<void> {
    try {
      if (performance.now() >= this.#renewAt) await this.#following.renew()
      else this.#looked(await this.#host.tend())
    } catch {
      // The connection has reported it.
      if (performance.now() - this.#renewedAt >= leaseDuration) this.#reportLost()
    }
  }

  async #renew(): Promise<boolean> {
    if (this.#ended) return false
    const sentAt = performance.now()
    const { lost, inbox, known } = await this.#host.renew()
    if (this.#ended) return false
    this.#renewedAt = sentAt
    this.#renewAt = sentAt + renewInterval
    this.#looked(inbox)
    if (lost) this.#reportLost()
    else if (!inbox.lost) this.#lost = false
    if (!lost && !this.#outdated) return known()
    await this.join()
    return false
  }

  #looked({ lost, mayMiss }: InboxLook): void {
    this.#mayMiss = mayMiss
    if (lost) this.#reportLost()
  }

  #reportLost(): void {
    if (this.#lost || this.#ended) return
    this.#lost = true
    const { brokerId, counters } = this.#host
    counters.leasesLost += 1
    this.#host.report(
      new EmitterError('LEASE_LOST', {
        message: `the lease of broker ${brokerId} has ended: messages of other brokers were lost`,
      }),
    )
  }
}
