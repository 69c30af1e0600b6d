import type { MaybePromise, Message, MessageEntrance, MessageStep, MessageTracer, TracedDelivery } from '@x/contract'
import type { PublishFrame } from '@x/packet'
import { isPromise } from '../ground/maybe-promise.ts'
import type { FaultReport } from './program-faults.ts'

/** The program's tracer as the engine calls it: what it throws is reported, and changes nothing for the message. While no tracer is
 * attached, the engine has no such object, and asks for one where a message comes in, where its steps begin and where it is sent. */
export class MessageTraces {
  readonly #tracer: MessageTracer
  readonly #failed: FaultReport
  /** The PUBLISH that is being read was chosen. */
  #isChosen = false

  constructor(tracer: MessageTracer, failed: FaultReport) {
    this.#tracer = tracer
    this.#failed = failed
  }

  /** Whether the PUBLISH is to be followed: then it can't pass with others in a run. */
  chooses({ source, propertiesStart, propertiesEnd }: PublishFrame): boolean {
    this.#isChosen = this.#guarded(() => this.#tracer.chooses(source, propertiesStart, propertiesEnd)) === true
    return this.#isChosen
  }

  /** The PUBLISH that `chooses` was asked about last has become this message. */
  accepted(message: Message): void {
    if (!this.#isChosen) return
    this.#isChosen = false
    this.#guarded(() => this.#tracer.accepted(message, 'client'))
  }

  /** Follows a message whose way is one call. */
  whole(message: Message, entrance: MessageEntrance, way: () => MaybePromise<void>): MaybePromise<void> {
    this.#guarded(() => this.#tracer.accepted(message, entrance))
    return this.#follow(error => this.ended(message, error), way)
  }

  /** Follows one step. */
  step<Result>(step: MessageStep, message: Message, take: () => MaybePromise<Result>): MaybePromise<Result> {
    const ended = this.#guarded(() => this.#tracer.begins(step, message))
    if (ended === undefined) return take()
    return this.#follow(error => this.#guarded(() => ended(error)), take)
  }

  delivered(message: Message, clientId: string, delivery: TracedDelivery): void {
    this.#guarded(() => this.#tracer.delivered(message, clientId, delivery))
  }

  ended(message: Message, error?: unknown): void {
    this.#guarded(() => this.#tracer.ended(message, error))
  }

  #follow<Result>(ended: (error?: unknown) => void, take: () => MaybePromise<Result>): MaybePromise<Result> {
    let result: MaybePromise<Result>
    try {
      result = take()
    } catch (error) {
      ended(error)
      throw error
    }
    if (isPromise(result)) result.then(() => ended(), ended)
    else ended()
    return result
  }

  #guarded<Result>(call: () => Result): Result | undefined {
    try {
      return call()
    } catch (error) {
      this.#failed('PLUGIN_FAILED', 'the tracer of messages', error)
      return undefined
    }
  }
}
