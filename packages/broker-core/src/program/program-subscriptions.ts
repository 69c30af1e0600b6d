import type { MaybePromise } from '@x/contract'
import type { CheckedOptions } from '../ground/limits.ts'
import type { DeliverFunction } from '../hooks/client.ts'
import { assertDeliver } from '../routing/program-subscribers.ts'
import type { Router } from '../routing/router.ts'
import type { ProgramSubscriber } from '../routing/subscriber-run.ts'
import { checkFilter } from './program-subscription.ts'

/** The functions that the program has subscribed with `broker.subscribe`. */
export class ProgramSubscriptions {
  readonly #engine: { readonly options: CheckedOptions; readonly router: Router }
  readonly #byFilter = new Map<string, Map<DeliverFunction, ProgramSubscriber>>()

  constructor(engine: { readonly options: CheckedOptions; readonly router: Router }) {
    this.#engine = engine
  }

  /** Subscribes a function to a filter, unless it is subscribed already.
   * @throws BrokerError `OPTION_INVALID`, `PACKET_INVALID`; TopicError */
  add(filter: string, deliver: DeliverFunction): MaybePromise<void> {
    assertDeliver(deliver)
    checkFilter(filter, this.#engine.options, 'SUBSCRIBE')
    let subscribers = this.#byFilter.get(filter)
    if (subscribers === undefined) {
      subscribers = new Map()
      this.#byFilter.set(filter, subscribers)
    }
    if (subscribers.has(deliver)) return undefined
    const subscriber = { filter, deliver }
    subscribers.set(deliver, subscriber)
    return this.#engine.router.addProgramSubscriber(filter, subscriber)
  }

  /** Undoes `add` with the same filter and function.
   * @throws BrokerError `OPTION_INVALID`, `PACKET_INVALID`; TopicError */
  remove(filter: string, deliver: DeliverFunction): void {
    assertDeliver(deliver)
    checkFilter(filter, this.#engine.options, 'UNSUBSCRIBE')
    const subscribers = this.#byFilter.get(filter)
    const subscriber = subscribers?.get(deliver)
    if (subscribers === undefined || subscriber === undefined) return
    subscribers.delete(deliver)
    if (subscribers.size === 0) this.#byFilter.delete(filter)
    this.#engine.router.removeProgramSubscriber(filter, subscriber)
  }
}
