import type { MaybePromise, Message, QueueEntry, SessionHandle } from '@x/contract'
import type { ReceiverConnection } from '../routing/receiver.ts'
import { isPromise } from '../ground/maybe-promise.ts'
import { ReasonCode } from '../ground/reason-code.ts'
import { writePubrel } from './delivery-writer.ts'
import type { DeliveryTarget } from './delivery-writer.ts'
import { InflightBytes } from './inflight-bytes.ts'
import { Inflight, InflightWindow, acknowledgementWrong } from './inflight-window.ts'
import type { Acknowledgement, InflightState } from './inflight-window.ts'
import { ReleaseOrder } from './release-order.ts'
import type { SessionHost } from './session-host.ts'

/** The session that has sent the messages. */
interface SendingSession extends DeliveryTarget {
  readonly handle: SessionHandle
  readonly stored: boolean
  readonly isClosed: boolean
  readonly connection: ReceiverConnection
  readonly engine: SessionHost
}

/** The QoS 1 and 2 messages that were sent to a client, from PUBLISH until the store may forget them. MQTT 5.0 §4.3, §4.4 */
export class Unacknowledged {
  readonly #session: SendingSession
  /** Undefined until the first message is sent. */
  #window: InflightWindow | undefined
  /** Of a session without a stored queue: the sequences that the store has for claimed messages of shared groups, by sequence here. */
  #claimed: Map<number, number> | undefined
  /** Undefined until a PUBREL has to wait for the store. */
  #releases: ReleaseOrder | undefined
  /** Undefined without `maximumInflightBytes`, and until the first message is sent. */
  #bytes: InflightBytes | undefined
  /** Sequence of the first message of a session without a stored queue. */
  firstSequence = 1

  constructor(session: SendingSession) {
    this.#session = session
  }

  get count(): number {
    return this.#window?.open ?? 0
  }

  /** Packet ids of the messages, in the order of sending. */
  packetIds(): readonly number[] {
    return this.#window?.packetIds() ?? []
  }

  /** The sequence of the next message of a session without a stored queue. */
  get nextSequence(): number {
    return this.#window?.nextSequence ?? this.firstSequence
  }

  /** Whether a message may be sent when `limit` of them may be open. */
  hasRoom(limit: number, sequence?: number): boolean {
    if (this.#bytes?.hasRoom === false) return false
    return this.#window === undefined ? limit > 0 : this.#window.hasRoom(limit, sequence)
  }

  /** Whether `maximumInflightBytes` lets another message be sent. */
  get hasByteRoom(): boolean {
    return this.#bytes === undefined || this.#bytes.hasRoom
  }

  /** Whether `sequence` can be open together with those that are. */
  reaches(sequence: number): boolean {
    return this.#window?.reaches(sequence) !== false
  }

  has(sequence: number): boolean {
    return this.#window !== undefined && this.#window.state(sequence) !== Inflight.none
  }

  /** Adds a message that is sent, and awaits this acknowledgement. Of one that awaits PUBCOMP only the identifier is left. */
  add(sequence: number, awaited: InflightState, message?: Pick<Message, 'payload'>): void {
    this.#window ??= new InflightWindow(sequence)
    this.#window.add(sequence, awaited)
    const { maximumInflightBytes } = this.#session.engine.options
    if (maximumInflightBytes === 0 || message === undefined) return
    this.#bytes ??= new InflightBytes(maximumInflightBytes)
    this.#bytes.add(sequence, message.payload.length)
  }

  /** Remembers which sequence the store has for a claimed message. */
  remember(sequence: number, stored: number): void {
    this.#claimed ??= new Map()
    this.#claimed.set(sequence, stored)
  }

  /** @throws BrokerError `ACKNOWLEDGEMENT_WRONG` when the message with this packet id waits for another acknowledgement */
  assertAwaited(messageId: number, acknowledgement: Acknowledgement): void {
    const state = this.#window?.state(this.#window.find(messageId)) ?? Inflight.none
    if (state !== Inflight.none && state !== Inflight[acknowledgement]) {
      throw acknowledgementWrong(messageId, acknowledgement, state)
    }
  }

  /** Returns the store's entry of a message; undefined: the store has none. */
  storedEntry(messageId: number): MaybePromise<QueueEntry | undefined> {
    const sequence = this.#window?.find(messageId) ?? -1
    const { stored, engine, handle } = this.#session
    if (!stored || sequence < 0) return undefined
    return engine.persistence.entry(handle, sequence)
  }

  /** The flow of a message is over. Returns whether there was one.
   * @throws BrokerError `ACKNOWLEDGEMENT_WRONG` when the message waits for another acknowledgement */
  finish(messageId: number, acknowledgement: Acknowledgement): boolean {
    const window = this.#window
    if (window === undefined) return false
    const sequence = window.find(messageId)
    if (sequence < 0) return false
    const state = window.state(sequence)
    if (state !== Inflight[acknowledgement]) throw acknowledgementWrong(messageId, acknowledgement, state)
    window.finish(sequence)
    this.#bytes?.finish(sequence)
    const stored = this.#forget(sequence)
    if (stored !== undefined) this.#acknowledge(stored)
    return true
  }

  /** PUBREC: PUBREL follows, or the flow ends when the client refused the message ([MQTT5-4.3.3-4]). Returns whether it has ended. */
  pubrec(messageId: number, reasonCode: number): boolean {
    const window = this.#window
    const sequence = window === undefined ? -1 : window.find(messageId)
    if (reasonCode >= 0x80 || window?.state(sequence) === Inflight.puback) return this.finish(messageId, 'pubrec')
    const session = this.#session
    if (window === undefined || sequence < 0) {
      writePubrel(session, messageId, session.version === 5 ? ReasonCode.packetIdentifierNotFound : 0)
      return false
    }
    window.release(sequence)
    const stored = session.stored ? sequence : this.#claimed?.get(sequence)
    // PUBREL ends the client's memory of the id: if the store could still forget the PUBREC, the message would come twice.
    const released = stored === undefined ? undefined : session.engine.persistence.release(session.handle, stored)
    if (!isPromise(released) && this.#releases?.isIdle !== false) {
      writePubrel(session, messageId, 0)
      return false
    }
    this.#releases ??= new ReleaseOrder()
    this.#releases.add(
      released,
      () => {
        if (!session.isClosed) writePubrel(session, messageId, 0)
      },
      error => session.connection.fail(error),
    )
    return false
  }

  /** A message is not sent after all, and counts as delivered ([MQTT5-3.1.2-25]). */
  skip(sequence: number): void {
    const stored = this.#forget(sequence)
    if (stored !== undefined) this.settleLater(stored)
  }

  /** Tells the store that it can forget this entry, a little later: the store must not be called while it offers one. */
  settleLater(stored: number): void {
    queueMicrotask(() => {
      if (!this.#session.isClosed) this.#acknowledge(stored)
    })
  }

  #acknowledge(stored: number): void {
    const { engine, handle, connection } = this.#session
    try {
      engine.watch(engine.persistence.acknowledge(handle, stored), 'ACKNOWLEDGE_FAILED', connection.client)
    } catch (error) {
      engine.fail(error, 'ACKNOWLEDGE_FAILED', connection.client)
    }
  }

  /** Returns the sequence that the store has for the message; undefined: it has none. */
  #forget(sequence: number): number | undefined {
    if (this.#session.stored) return sequence
    const stored = this.#claimed?.get(sequence)
    if (stored !== undefined) this.#claimed?.delete(sequence)
    return stored
  }
}
