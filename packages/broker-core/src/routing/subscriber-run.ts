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

/** The delivery of one message to one function of the program: it waits for a slot, runs, and ends once. */
export class SubscriberRun implements TimedCall {
  readonly subscriber: ProgramSubscriber
  readonly packet: BrokerPacket
  /** 0 for messages published by a client, or by the program outside of such functions; otherwise one more than the run in which it was
   * published. */
  readonly depth: number
  deadline = 0
  phase: 'waiting' | 'running' | 'over' = 'waiting'
  /** Frees its slot; undefined while it has none. */
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

  /** Ends the run. Only the first call counts. */
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
    // Freed later, so that a run which is due at the same moment does not begin now.
    if (leave !== undefined) queueMicrotask(leave)
  }
}
