import { BrokerError } from '../ground/broker-error.ts'
import type { DeliverFunction } from '../hooks/client.ts'
import type { TimedCall } from '../hooks/hook-call.ts'
import type { BrokerPacket } from '../message/broker-packet.ts'
import { ReasonCode } from '../ground/reason-code.ts'

/** One `broker.subscribe(filter, deliver)`. */
export interface ProgramSubscriber {
  readonly filter: string
  readonly deliver: DeliverFunction
}

/** One message for one function of the program: it waits for a slot, runs, and is over once. */
export class SubscriberRun implements TimedCall {
  readonly subscriber: ProgramSubscriber
  readonly packet: BrokerPacket
  /** 0: published by a client, or by the program outside of such functions; otherwise one more than the run it was published in. */
  readonly depth: number
  deadline = 0
  phase: 'waiting' | 'running' | 'over' = 'waiting'
  /** Gives its slot to the next one; undefined while it has none. */
  leave: (() => void) | undefined
  readonly #settled: (run: SubscriberRun, error: Error | undefined) => void

  constructor(
    { subscriber, packet, depth }: Pick<SubscriberRun, 'subscriber' | 'packet' | 'depth'>,
    settled: (run: SubscriberRun, error: Error | undefined) => void,
  ) {
    this.subscriber = subscriber
    this.packet = packet
    this.depth = depth
    this.#settled = settled
  }

  /** Only the first end counts. */
  end(error?: Error): void {
    if (this.phase === 'over') return
    this.phase = 'over'
    this.leave?.()
    this.#settled(this, error)
  }

  expire(timeout: number): void {
    const how = this.phase === 'running' ? 'did not finish' : 'had no turn'
    const { leave } = this
    this.leave = undefined
    this.end(
      new BrokerError('SUBSCRIBER_TIMEOUT', {
        message: `a function subscribed to '${this.subscriber.filter}' ${how} within hookTimeout of ${timeout} ms`,
        reasonCode: ReasonCode.implementationSpecificError,
      }),
    )
    // Afterwards: what is due at the same moment must not begin now.
    if (leave !== undefined) queueMicrotask(leave)
  }
}
