import { AsyncLocalStorage } from 'node:async_hooks'
import type { Clock, MaybePromise } from '@x/contract'
import fastq from 'fastq'
import type { queue } from 'fastq'
import { BrokerError, toError } from '../ground/broker-error.ts'
import type { ProgramBroker } from '../hooks/client.ts'
import type { HookCalls } from '../hooks/hook-call.ts'
import type { FaultReport } from '../hooks/program-faults.ts'
import { isPromise } from '../ground/maybe-promise.ts'
import { optionInvalid } from '../ground/option-invalid.ts'
import { packetOf } from '../message/broker-packet.ts'
import type { Publication } from '../message/publication.ts'
import { ReasonCode } from '../ground/reason-code.ts'
import { SubscriberRun } from './subscriber-run.ts'
import type { ProgramSubscriber } from './subscriber-run.ts'
import { ignore } from '../ground/ignore.ts'

/** @throws BrokerError `OPTION_INVALID` unless it is a function, whatever a program without types passes on */
export function assertDeliver(deliver: unknown): void {
  if (typeof deliver !== 'function') throw optionInvalid('deliver', deliver, 'a function that takes messages')
}

/** How many functions the program's own messages may run beyond `concurrency`, for each slot. */
const nestedForEachSlot = 100

/** Runs that may begin in one turn of the event loop. */
const runsPerTurn = 5000

/** Runs the functions that the program has subscribed, `concurrency` messages at a time; further messages wait, and so do their
 * publishers.
 *
 * A message that such a function publishes while it runs needs no slot: the function may wait for it while it holds the slot. The
 * asynchronous context tells which function publishes; it is followed until the end of a turn in which none runs, since it costs a part
 * of a microsecond for each promise of the process. Nesting ends at `maximumNesting`,
 * and nested messages wait when very many run already.
 *
 * Functions that publish to each other without waiting form an endless circle: only so many begin in one turn of the event loop, and
 * others are served in between.
 *
 * Each run ends within `hookTimeout`, including its time of waiting; then its slot is free and its publisher goes on. */
export class ProgramSubscribers {
  readonly #queue: queue<SubscriberRun, void>
  readonly #broker: ProgramBroker
  readonly #clock: Clock
  readonly #calls: HookCalls
  readonly #maximumNesting: number
  /** The run in which code executes, if it does in one. */
  readonly #context = new AsyncLocalStorage<SubscriberRun>()
  /** Number of runs without a slot. */
  #nested = 0
  /** Number of runs that began in this turn. */
  #pushed = 0
  #isTurnEnding = false
  /** Runs for the next turn, in order. */
  #later: SubscriberRun[] = []

  constructor(
    broker: ProgramBroker,
    limits: { readonly concurrency: number; readonly maximumNesting: number },
    { clock, calls }: { readonly clock: Clock; readonly calls: HookCalls },
  ) {
    this.#broker = broker
    this.#clock = clock
    this.#calls = calls
    this.#maximumNesting = limits.maximumNesting
    this.#queue = fastq<unknown, SubscriberRun, void>((run, leave) => {
      run.leave = () => leave(null)
      if (run.phase === 'waiting') this.#begin(run)
      else run.leave()
    }, limits.concurrency)
  }

  get concurrency(): number {
    return this.#queue.concurrency
  }

  get running(): number {
    return this.#queue.running() + this.#nested
  }

  get waiting(): number {
    return this.#queue.length() + this.#later.length
  }

  /** Delivers a message to all subscribers. Returns a promise while one is not done; it does not reject, since `failed` gets what a
   * function throws or rejects. */
  deliver(
    subscribers: readonly ProgramSubscriber[],
    publication: Publication,
    failed: FaultReport,
  ): MaybePromise<void> {
    const parent = this.#context.getStore()
    const depth = parent?.phase === 'running' ? parent.depth + 1 : 0
    let open = subscribers.length
    let settle: (() => void) | undefined
    const settled = (run: SubscriberRun, error: Error | undefined): void => {
      this.#calls.forget(run)
      if (error) failed('SUBSCRIBER_FAILED', `a function subscribed to '${run.subscriber.filter}'`, error)
      if (this.running === 0) this.#callAtTurnEnd()
      open -= 1
      if (open === 0) settle?.()
    }
    for (const subscriber of subscribers) {
      const packet = packetOf(publication, false, this.#clock.now())
      const run = new SubscriberRun({ subscriber, packet, depth }, settled)
      this.#push(run)
      if (run.phase !== 'over') this.#calls.watch(run)
    }
    if (open === 0) return undefined
    return new Promise(resolve => {
      settle = resolve
    })
  }

  /** Stops following the asynchronous context. */
  close(): void {
    this.#context.disable()
  }

  #push(run: SubscriberRun): void {
    this.#callAtTurnEnd()
    this.#pushed += 1
    if (this.#pushed > runsPerTurn) this.#later.push(run)
    else if (run.depth > this.#maximumNesting) run.end(nestedTooDeep(run, this.#maximumNesting))
    else if (run.depth === 0 || this.#nested >= nestedForEachSlot * this.concurrency) this.#queue.push(run)
    else {
      this.#nested += 1
      run.leave = () => {
        this.#nested -= 1
      }
      this.#begin(run)
    }
  }

  #callAtTurnEnd(): void {
    if (this.#isTurnEnding) return
    this.#isTurnEnding = true
    setImmediate(() => this.#nextTurn())
  }

  #nextTurn(): void {
    this.#isTurnEnding = false
    const runs = this.#later
    this.#later = []
    this.#pushed = 0
    for (const run of runs) if (run.phase === 'waiting') this.#push(run)
    if (this.running === 0) this.#context.disable()
  }

  #begin(run: SubscriberRun): void {
    run.phase = 'running'
    this.#context.run(run, call, run, this.#broker)
  }
}

function call(run: SubscriberRun, broker: ProgramBroker): void {
  const { deliver } = run.subscriber
  try {
    if (deliver.length >= 2) {
      const returned = deliver.call(broker, run.packet, () => run.end())
      // The run ends when the function calls back; a function that rejects will not call back.
      if (isPromise(returned)) Promise.resolve(returned).catch((error: unknown) => run.end(toError(error)))
      return
    }
    const result = deliver.call(broker, run.packet, ignore)
    if (!isPromise(result)) run.end()
    else {
      Promise.resolve(result).then(
        () => run.end(),
        (error: unknown) => run.end(toError(error)),
      )
    }
  } catch (error) {
    run.end(toError(error))
  }
}

function nestedTooDeep({ subscriber }: SubscriberRun, limit: number): BrokerError {
  return new BrokerError('NESTED_TOO_DEEP', {
    message: `a message for the function subscribed to '${subscriber.filter}' is published ${limit + 1} functions deep, the limit is maximumNesting of ${limit}`,
    reasonCode: ReasonCode.implementationSpecificError,
  })
}
