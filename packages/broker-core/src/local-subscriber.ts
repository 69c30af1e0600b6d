import type { Clock, MaybePromise } from '@x/contract'
import fastq from 'fastq'
import type { queue } from 'fastq'
import { toError } from './broker-error.ts'
import type { Broker } from './broker.ts'
import type { FaultReport } from './program-faults.ts'
import { isPromise } from './maybe-promise.ts'
import { packetOf } from './packet-form.ts'
import type { BrokerPacket } from './packet-form.ts'
import type { Publication } from './publication.ts'

/** A function of the program that receives messages: done when it calls its second parameter, or, without that, when
 * what it returns has settled. Publishers wait for it. */
export type DeliverFunction = (this: Broker, packet: BrokerPacket, done: () => void) => unknown

/** One `broker.subscribe(filter, deliver)`. */
export interface LocalSubscriber {
  readonly filter: string
  readonly deliver: DeliverFunction
}

interface Task {
  readonly subscriber: LocalSubscriber
  readonly packet: BrokerPacket
}

/** Runs the program's own subscribers, `concurrency` messages at a time; further ones wait, and their publishers with
 * them. */
export class LocalSubscribers {
  readonly #queue: queue<Task, void>
  readonly #broker: Broker
  readonly #clock: Clock

  constructor(broker: Broker, concurrency: number, clock: Clock) {
    this.#broker = broker
    this.#clock = clock
    this.#queue = fastq<unknown, Task, void>((task, done) => this.#work(task, done), concurrency)
  }

  get concurrency(): number {
    return this.#queue.concurrency
  }

  get running(): number {
    return this.#queue.running()
  }

  get waiting(): number {
    return this.#queue.length()
  }

  /** Delivers to all of them; a promise when one is not done yet. It does not reject: `failed` gets what they throw or reject. */
  deliver(subscribers: readonly LocalSubscriber[], publication: Publication, failed: FaultReport): MaybePromise<void> {
    let open = 0
    let settle: (() => void) | undefined
    for (const subscriber of subscribers) {
      const packet = packetOf(publication, false, this.#clock.now())
      open += 1
      this.#queue.push({ subscriber, packet }, error => {
        if (error) failed('SUBSCRIBER_FAILED', `a function subscribed to '${subscriber.filter}'`, error)
        open -= 1
        if (open === 0) settle?.()
      })
    }
    if (open === 0) return undefined
    return new Promise(resolve => {
      settle = resolve
    })
  }

  #work({ subscriber, packet }: Task, done: (error: Error | null) => void): void {
    const { deliver } = subscriber
    try {
      if (deliver.length >= 2) {
        deliver.call(
          this.#broker,
          packet,
          once(() => done(null)),
        )
        return
      }
      const result = deliver.call(this.#broker, packet, ignore)
      if (isPromise(result))
        result.then(
          () => done(null),
          (error: unknown) => done(toError(error)),
        )
      else done(null)
    } catch (error) {
      done(toError(error))
    }
  }
}

function ignore(): void {
  // For functions that don't declare the parameter.
}

function once(task: () => void): () => void {
  let called = false
  return () => {
    if (called) return
    called = true
    task()
  }
}
