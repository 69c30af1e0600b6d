import { LatencyHistogram, isExpired, keepMessage } from '@x/contract'
import type { Emitter, MaybePromise, Message, Persistence, Receipt, SteadyClock, Will } from '@x/contract'
import type { Begun, ClientConnection, Publishing } from './connect/client-connection.ts'
import type { Turn } from './connection/turn.ts'
import { toError } from './ground/broker-error.ts'
import type { DeadlineWheel } from './ground/deadline-wheel.ts'
import type { CheckedOptions } from './ground/limits.ts'
import { after, isPromise, recover } from './ground/maybe-promise.ts'
import type { Client } from './hooks/client.ts'
import type { NormalisedHooks } from './hooks/hooks.ts'
import type { MessageTraces } from './hooks/message-traces.ts'
import type { FaultReport, ProgramFaults } from './hooks/program-faults.ts'
import { packetOf } from './message/broker-packet.ts'
import type { BrokerPacket } from './message/broker-packet.ts'
import { isForOwnClients } from './message/own-statistics.ts'
import type { OwnStatistics } from './message/own-statistics.ts'
import { Publication } from './message/publication.ts'
import type { FanOuts } from './routing/fan-outs.ts'
import type { ProgramSubscribers } from './routing/program-subscribers.ts'
import type { Plan, Router } from './routing/router.ts'
import type { SharedGroup } from './routing/shared-group.ts'

/** What publishing needs of the engine. */
export interface PublishingHost {
  readonly broker: {
    /** Somebody listens to the event `publish`. */
    readonly publishObserved: boolean
    emit(name: 'publish', packet: BrokerPacket, client: Client | null): boolean
  }
  readonly clock: SteadyClock
  readonly emitter: Emitter | undefined
  readonly fanOuts: FanOuts
  readonly options: CheckedOptions
  readonly faults: ProgramFaults
  readonly hooks: NormalisedHooks
  /** No hook or listener sees single messages. */
  readonly passThrough: boolean
  readonly persistence: Persistence
  readonly programSubscribers: ProgramSubscribers
  readonly router: Router
  readonly statistics: OwnStatistics
  readonly traces: MessageTraces | undefined
  readonly turn: Turn
  readonly wheel: DeadlineWheel
}

/** The way of a message through the broker: it is stored, then its deliveries begin, then it is reported. Whoever has nothing to do in
 * between calls `publish`; the handler of PUBLISH takes the three steps itself, so that a message whose steps are all synchronous
 * allocates neither a promise nor a closure. */
export class MessagePublishing implements Publishing {
  readonly #engine: PublishingHost
  /** How long an asynchronous store, and emitter, takes for a message. */
  readonly storeLatency: LatencyHistogram = new LatencyHistogram()
  readonly emitterLatency: LatencyHistogram = new LatencyHistogram()
  readonly #reportFault: FaultReport = (code, what, thrown) => this.#engine.faults.add(code, what, thrown)

  constructor(engine: PublishingHost) {
    this.#engine = engine
  }

  /** Stores, routes and reports a message; returns when all of it is done. `failed` gets the error of a function of the program, which
   * stops nothing. */
  publish(
    publication: Publication,
    from: ClientConnection | undefined,
    failed: FaultReport = this.#reportFault,
  ): MaybePromise<void> {
    const { traces } = this.#engine
    if (traces === undefined) return this.#publish(publication, from, failed)
    return traces.whole(publication, 'program', () => this.#publish(publication, from, failed))
  }

  #publish(publication: Publication, from: ClientConnection | undefined, failed: FaultReport): MaybePromise<void> {
    return after(this.store(publication), stored => this.#finish(publication, from, { stored, failed }))
  }

  /** The same for a will, which a store that several brokers share stores once, though it may come back and be published again. */
  publishWill(will: Will, publication: Publication, from: ClientConnection | undefined): MaybePromise<void> {
    const { traces } = this.#engine
    const publish = (): MaybePromise<void> =>
      after(this.#storeWill(will, publication), stored =>
        this.#finish(publication, from, { stored, failed: this.#reportFault }),
      )
    return traces === undefined ? publish() : traces.whole(publication, 'program', publish)
  }

  #storeWill(will: Will, published: Publication): MaybePromise<number> {
    const { persistence } = this.#engine
    if (persistence.publishWill === undefined) return this.store(published)
    const publication = this.#toBeDelivered(published)
    if (this.#isForNoStore(publication)) return 0
    const { traces } = this.#engine
    const store = (): MaybePromise<number> => this.#stored(persistence.publishWill?.(will, publication) ?? 0)
    return traces === undefined ? store() : traces.step('store', publication, store)
  }

  // What needs a closure has a method of its own: V8 allocates the variables of closures when a method begins, for each message.

  /** The first step: stores the message, which must be durable before anybody sees it. Returns the number of sessions and groups it was
   * stored for. */
  store(published: Publication, receipt?: Receipt): MaybePromise<number> {
    const publication = this.#toBeDelivered(published)
    if (this.#isForNoStore(publication)) return 0
    const { persistence, traces } = this.#engine
    if (traces === undefined) return this.#stored(persistence.publish(publication, receipt))
    return this.#storeTraced(traces, publication, receipt)
  }

  #storeTraced(traces: MessageTraces, publication: Publication, receipt: Receipt | undefined): MaybePromise<number> {
    const { persistence } = this.#engine
    return traces.step('store', publication, () => this.#stored(persistence.publish(publication, receipt)))
  }

  #isForNoStore(publication: Publication): boolean {
    const { persistence, statistics, options } = this.#engine
    if (publication.qos === 0 && !publication.retain && !options.queueQoS0Messages) return true
    return publication.retain && persistence.supports.shared && statistics.retain(publication)
  }

  #stored(stored: MaybePromise<number>): MaybePromise<number> {
    // It has offered the message to as many sessions meanwhile.
    if (typeof stored === 'number') this.#engine.turn.credit -= stored
    else this.storeLatency.sample(stored)
    return stored
  }

  /** The second step: begins all deliveries. Returns whether the topic has subscribers, here or on other brokers as far as known, and
   * what has to be waited for. */
  // Four parameters: an object would be allocated for each message.
  begin(
    published: Publication,
    from: ClientConnection | undefined,
    stored: number,
    failed: FaultReport = this.#reportFault,
  ): boolean | Begun {
    const publication = this.#toBeDelivered(published)
    const { router, emitter } = this.#engine
    const plan = router.plan(publication.topic)
    const reached = stored > 0 || plan.size > 0 || emitter?.reaches(publication.topic) === true
    const routed = this.#route(plan, publication, from, failed)
    const emitted = this.#passOn(plan, publication, from)
    return isPromise(routed) || isPromise(emitted) ? { routed, emitted, reached } : reached
  }

  /** The message as it is stored and delivered; hooks and events have it as it was published. */
  #toBeDelivered(publication: Publication): Publication {
    return this.#engine.options.upgradeOutgoingQoS ? publication.atHighestQoS : publication
  }

  /** The third step: calls the hook `published` and emits the event `publish`. `messageId` is that of the publisher's packet. */
  report(publication: Publication, from: ClientConnection | undefined, messageId?: number): MaybePromise<void> {
    const { broker, clock, hooks, passThrough } = this.#engine
    if (passThrough) return undefined
    const { published } = hooks
    const observed = broker.publishObserved
    if (published === undefined && !observed) return undefined
    const client = from?.client ?? null
    const packet = packetOf(publication, false, clock.now())
    if (messageId !== undefined && packet.qos > 0) packet.messageId = messageId
    return after(published?.(packet, client), () => {
      if (observed) broker.emit('publish', packet, client)
    })
  }

  /** Delivers a message of another broker, which has reported it. Its errors are the caller's to report.
   * @param groups - the shared groups whose turn it is here; undefined: all of them */
  deliver(message: Message, groups: readonly string[] | undefined): MaybePromise<void> {
    const { traces } = this.#engine
    if (traces === undefined) return this.#deliver(message, groups)
    return traces.whole(message, 'broker', () => this.#deliver(message, groups))
  }

  #deliver(message: Message, groups: readonly string[] | undefined): MaybePromise<void> {
    return after(this.#storeOfOther(message), () => this.#routeOfOther(message, groups))
  }

  /** Stores a message of another broker, unless the store is shared. The retained message belongs to the other broker, since this one
   * would not learn of its end. */
  #storeOfOther(message: Message): MaybePromise<unknown> {
    const { persistence, traces } = this.#engine
    if (message.qos === 0 || persistence.supports.shared) return undefined
    const stored = message.retain ? { ...message, retain: false } : message
    if (traces === undefined) return persistence.publish(stored)
    return traces.step('store', stored, () => persistence.publish(stored))
  }

  #routeOfOther(message: Message, groups: readonly string[] | undefined): MaybePromise<void> {
    const plan = this.#engine.router.plan(message.topic)
    const publication = Publication.of(message)
    if (publication.qos === 0 && !isExpired(publication, this.#engine.wheel.now)) {
      for (const group of plan.groups) if (groups?.includes(group.name) !== false) group.send(publication, undefined)
    }
    return this.#route(plan, publication, undefined, this.#reportFault)
  }

  #finish(
    publication: Publication,
    from: ClientConnection | undefined,
    { stored, failed }: { readonly stored: number; readonly failed: FaultReport },
  ): MaybePromise<void> {
    const begun = this.begin(publication, from, stored, failed)
    const report = (): MaybePromise<void> =>
      recover(
        () => this.report(publication, from),
        error => failed('HOOK_FAILED', 'hook published', error),
      )
    if (typeof begun === 'boolean') return report()
    return Promise.all([begun.routed, begun.emitted]).then(report)
  }

  #route(
    plan: Plan,
    publication: Publication,
    from: ClientConnection | undefined,
    failed: FaultReport,
  ): MaybePromise<void> {
    const { wheel, fanOuts } = this.#engine
    if (publication.expiresAt !== undefined && isExpired(publication, wheel.now)) return undefined
    if (plan.programSubscribers.length === 0) return fanOuts.send(plan.targets, publication, from)
    publication.keepFrame()
    const sent = fanOuts.send(plan.targets, publication, from)
    return this.#routeToProgram(plan, publication, { sent, failed })
  }

  #routeToProgram(
    { programSubscribers: called }: Plan,
    publication: Publication,
    { sent, failed }: { readonly sent: MaybePromise<void>; readonly failed: FaultReport },
  ): MaybePromise<void> {
    const { programSubscribers, traces } = this.#engine
    const taken =
      traces === undefined
        ? programSubscribers.deliver(called, publication, failed)
        : traces.step('deliver', publication, () => programSubscribers.deliver(called, publication, failed))
    return isPromise(sent) ? sent.then(() => taken) : taken
  }

  /** Sends the message to shared groups and to other brokers. Returns a rejected promise when the emitter throws: a throw would abandon
   * the promise of the program's subscribers. */
  #passOn(plan: Plan, publication: Publication, from: ClientConnection | undefined): MaybePromise<void> {
    const isDealt = publication.qos === 0 && plan.groups.length > 0
    if (!isDealt && this.#engine.emitter === undefined) return undefined
    try {
      if (isDealt) this.#dealHere(plan.groups, publication, from)
      if (isForOwnClients(publication)) return undefined
      const emitted = this.#emit(publication)
      if (isPromise(emitted)) this.emitterLatency.sample(emitted)
      return emitted
    } catch (error) {
      return Promise.reject(toError(error))
    }
  }

  #emit(publication: Publication): MaybePromise<void> {
    const { emitter, traces } = this.#engine
    const message = emitter === undefined ? publication : this.#asOthersHaveIt(publication)
    if (traces === undefined || emitter?.reaches(publication.topic) !== true) return emitter?.publish(message)
    return traces.step('emit', publication, () => emitter.publish(message))
  }

  /** Other brokers use the machine's time. */
  #asOthersHaveIt(publication: Publication): Message {
    const { expiresAt } = publication
    const expiry = expiresAt === undefined ? undefined : this.#engine.clock.toMachine(expiresAt)
    return expiry === expiresAt ? publication : { ...keepMessage(publication), expiresAt: expiry }
  }

  /** Sends the message to the groups whose turn it is: groups take turns with those of other brokers. */
  #dealHere(groups: readonly SharedGroup[], publication: Publication, from: ClientConnection | undefined): void {
    const { wheel, turn, emitter } = this.#engine
    if (isExpired(publication, wheel.now)) return
    turn.credit -= groups.length
    for (const group of groups) if (emitter?.takesTurn(group.name) !== false) group.send(publication, from)
  }
}
