import type { Emitter, EmitterHost, MaybePromise, Message, SteadyClock } from '@x/contract'
import type { ClientConnection } from './connect/client-connection.ts'
import type { UserSessions } from './connect/user-sessions.ts'
import { recover } from './ground/maybe-promise.ts'
import type { StepCode } from './ground/steps.ts'
import type { Presence } from './program/presence.ts'
import type { MessagePublishing } from './publishing.ts'
import type { AdvertisedFilters } from './routing/advertised-filters.ts'

/** What the news of other brokers need of the engine. */
interface Receiving {
  readonly advertised: AdvertisedFilters
  readonly brokerId: string
  readonly clients: ReadonlyMap<string, ClientConnection>
  readonly clock: SteadyClock
  readonly emitter: Emitter | undefined
  readonly presence: Presence
  readonly publishing: MessagePublishing
  readonly userSessions: UserSessions
  fail(error: unknown, code: StepCode): void
}

/** The other brokers, as the emitter tells of them: their messages, their clients, and that they are there. */
export class OtherBrokers implements EmitterHost {
  readonly #engine: Receiving

  constructor(engine: Receiving) {
    this.#engine = engine
  }

  get brokerId(): string {
    return this.#engine.brokerId
  }

  /** Opens the emitter. Afterwards other brokers know which filters are subscribed here. */
  async open(): Promise<void> {
    await this.#engine.emitter?.open(this)
    await this.#engine.advertised.open()
  }

  /** Delivers a message of another broker. Its errors are reported here, since nobody waits for it. */
  deliver(told: Message, groups: readonly string[] | undefined): MaybePromise<void> {
    const { clock, publishing } = this.#engine
    const { expiresAt } = told
    const message = expiresAt === undefined ? told : { ...told, expiresAt: clock.fromMachine(expiresAt) }
    return recover(
      () => publishing.deliver(message, groups),
      error => this.#engine.fail(error, 'DELIVERY_FAILED'),
    )
  }

  /** A client has connected to another broker. A connection that was not announced yet is the newer one; the other broker will learn of
   * it. */
  takenOver(clientId: string): void {
    const connection = this.#engine.clients.get(clientId)
    if (connection?.phase !== 'connected') return
    connection.sessionTakenOver()
    this.#engine.userSessions.forget(clientId)
  }

  presence(brokerId: string, present: boolean): void {
    this.#engine.presence.seen(brokerId, present)
  }
}
