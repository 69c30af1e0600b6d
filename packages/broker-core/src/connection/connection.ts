import type { Duplex } from 'node:stream'
import type { MaybePromise } from '@x/contract'
import type { FrameReader, Packet, ProtocolVersion } from '@x/packet'
import { AwaitedEnd } from '../ground/awaited-end.ts'
import { BrokerError, reasonCodeFrom, toError } from '../ground/broker-error.ts'
import { ReasonCode } from '../ground/reason-code.ts'
import { BackPressure } from './back-pressure.ts'
import { ConnectionDeadlines, sooner } from './connection-deadlines.ts'
import type { ConnectionHost, ConnectionProfile, Phase } from './connection-host.ts'
import { disconnectPacket, encodeControl } from './control-packet.ts'
import type { Ending } from './ending.ts'
import { Outbox } from './outbox.ts'
import type { OutboxOwner } from './outbox.ts'
import { PacketReading } from './packet-reading.ts'
import { PublisherPauses } from './publisher-pauses.ts'
import { ReadHold } from './read-hold.ts'
import { StreamEnd } from './stream-end.ts'
import type { Yielding } from './turn.ts'
import { noMaximumPacketSize } from '../ground/no-maximum.ts'

/** What the end of a connection takes of a turn, in units of `Turn.credit`. */
const endUnits = 24

/** The byte stream of one client, from its first byte to its last. It knows nothing of what packets mean: that is the protocol, which
 * it is handed by the abstract methods. */
export abstract class Connection<Host extends ConnectionHost = ConnectionHost> implements OutboxOwner, Yielding {
  readonly engine: Host
  readonly stream: Duplex
  /** Undefined when the stream was handed over without a listener. */
  readonly profile: ConnectionProfile | undefined
  readonly outbox: Outbox
  readonly #reading: PacketReading
  /** From CONNECT; until then 3.1.1. */
  version: ProtocolVersion = 4
  phase: Phase = 'awaitingConnect'
  /** Maximum Packet Size of the client in bytes. MQTT 5.0 §3.1.2.11.4 */
  maximumPacketSize: number = noMaximumPacketSize
  readonly deadlines: ConnectionDeadlines
  /** Undefined until more piles up for this client than it takes. */
  #pressure: BackPressure | undefined
  /** Undefined until this publisher has to wait for a receiver. */
  #pauses: PublisherPauses | undefined
  /** What has become of the stream, when it takes effect later. */
  #streamEnd: StreamEnd | undefined
  /** Another connection, here or on another broker, has the client identifier. */
  takenOver = false
  /** Made when somebody waits for the end. */
  #closed: AwaitedEnd | undefined

  constructor(engine: Host, stream: Duplex, profile: ConnectionProfile | undefined) {
    this.engine = engine
    this.stream = stream
    this.profile = profile
    this.outbox = new Outbox(stream, engine.outboxContext, this)
    const now = engine.clock.now()
    this.#reading = new PacketReading(this, now)
    this.deadlines = new ConnectionDeadlines(this, now)
  }

  /** Returns the MQTT bytes of a chunk that came before CONNECT, where a proxy may have written others. */
  abstract decode(chunk: Buffer): Buffer

  /** Has the packet at which the reader stands take effect. A promise: the next packet waits for it. */
  abstract receive(reader: FrameReader): MaybePromise<void>

  /** Sends what waits for the client, as far as there is room. Returns whether too much still waits. */
  protected abstract sendWaiting(): boolean

  /** Refuses a client that is not connected yet, and ends the connection. */
  abstract refuse(error: Error): void

  /** Ends the client's session; `before` is the phase that the connection leaves. Returns a function that tells the program, to be
   * called when the connection has left completely. */
  protected abstract ended(ending: Ending, before: Phase): () => void

  get isOpen(): boolean {
    return this.phase !== 'closing' && this.phase !== 'closed'
  }

  /** CONNECT was accepted: from now on larger packets may come, and the Keep Alive counts.
   * @param keepAlive ms of silence that end the connection; 0: never. MQTT 5.0 §3.1.2.10 */
  accepted(keepAlive: number): void {
    this.phase = 'connected'
    this.#reading.accept(this.version, this.engine.options.maximumPacketSize)
    this.deadlines.accept(keepAlive)
  }

  /** Takes a chunk from the stream. It must not change afterwards: messages are views into it. */
  chunkReceived(chunk: Buffer): void {
    this.#reading.take(chunk)
  }

  get lastReceived(): number {
    return this.#reading.lastReceived
  }

  /** Reading rests, for any reason. */
  get isHeld(): boolean {
    return this.#reading.isHeld
  }

  /** Adds a reason to rest, one of {@link ReadHold}. */
  hold(reason: number): void {
    this.#reading.hold(reason)
  }

  /** Removes a reason to rest; when it was the last one, reading goes on. */
  release(reason: number): void {
    this.#reading.release(reason)
  }

  goOn(): boolean {
    this.release(ReadHold.turn)
    if (this.#reading.isHeldFor(ReadHold.turn)) return true
    if (this.#streamEnd?.waits(this, this.#reading) === false) this.#finish(this.#streamEnd)
    return false
  }

  readOn(): void {
    if (this.#streamEnd?.hasWaited(this.#reading) === true) this.#finish(this.#streamEnd)
  }

  /** Sends a control packet. When it exceeds the client's Maximum Packet Size, even without its reason string and user properties, the
   * connection ends, since the client waits for the packet. Returns whether it was sent. */
  sendPacket(packet: Packet): boolean {
    if (!this.isOpen) return false
    const bytes = encodeControl(packet, this.version, this.maximumPacketSize)
    if (bytes instanceof BrokerError) {
      if (packet.cmd !== 'disconnect') this.end({ reason: 'refusal', reasonCode: bytes.reasonCode, error: bytes })
      return false
    }
    this.outbox.append(bytes)
    this.engine.counters.controlPacketsSent += 1
    return true
  }

  /** Rests until `receiver` has room again, or has used up the time that publishers wait for it. False: this publisher has waited
   * enough for receivers that take nothing, and does not wait for one more. */
  slowDownFor(receiver: Connection): boolean {
    return receiver.phase !== 'connected' || receiver.#backPressure.pause(this)
  }

  /** For a receiver that takes too little: begins to wait for it. Returns whether this publisher may wait for one more.
   * @param hasDrained - the receiver took in time what had piled up before */
  waitFor(hasDrained: boolean): boolean {
    this.#pauses ??= new PublisherPauses(this.engine.options.maximumPublisherPause)
    if (!this.#pauses.begin(this.engine.clock.now(), hasDrained)) return false
    this.hold(ReadHold.backPressure)
    return true
  }

  /** Publishers no longer wait for a receiver that this connection waited for. */
  waitedFor({ graceOver }: BackPressure): void {
    if (this.#pauses?.end(this.engine.clock.now(), graceOver) === true) this.release(ReadHold.backPressure)
  }

  /** QoS 0 messages for this client are dropped: publishers have waited for it, and its outbox is still full. */
  get shedsLoad(): boolean {
    return this.#pressure?.graceOver === true && this.outbox.full
  }

  outboxFull(): void {
    this.#backPressure.begin()
  }

  /** The stream has thrown. */
  outboxFailed(thrown: unknown): void {
    this.stream.destroy()
    this.close(toError(thrown))
  }

  outboxDrained(): void {
    this.relieved()
    this.release(ReadHold.outbox)
  }

  /** Most of what had piled up for this client is gone. */
  relieved(): void {
    if (!this.sendWaiting()) this.#pressure?.end()
  }

  get #backPressure(): BackPressure {
    this.#pressure ??= new BackPressure(this)
    return this.#pressure
  }

  /** Checks what the reading waits for, and what piles up. Returns when to check again, in ms of the engine's clock, or 0. */
  checkFlow(now: number): number {
    const reading = this.#reading.check(now)
    return this.#pressure !== undefined && this.isOpen ? sooner(reading, this.#pressure.check(now)) : reading
  }

  /** Ends the connection because of an error: the peer's, a hook's or a part's. */
  fail(thrown: unknown): void {
    if (!this.isOpen) return
    const error = toError(thrown)
    if (this.phase !== 'connected') this.refuse(error)
    else this.end({ reason: 'refusal', error, reasonCode: reasonCodeFrom(error, ReasonCode.unspecifiedError) })
  }

  /** Another connection holds the client id now. */
  sessionTakenOver(): void {
    this.takenOver = true
    this.end({ reason: 'takeOver', reasonCode: ReasonCode.sessionTakenOver })
  }

  /** Ends the connection from our side; idempotent. */
  end(ending: Ending): void {
    if (!this.isOpen) return
    const packet =
      this.phase === 'connected' && this.version === 5 ? disconnectPacket(ending, this.engine.options) : undefined
    if (packet !== undefined) this.sendPacket(packet)
    const flushed = this.outbox.close()
    const announce = this.#leave(ending)
    if (ending.sent === undefined) this.#endStream(flushed)
    else setImmediate(() => this.#endStream(flushed, ending.sent))
    announce()
  }

  #endStream(flushed: boolean, sent?: () => void): void {
    if (!flushed || this.stream.destroyed) this.stream.destroy()
    else {
      this.stream.end()
      this.#reading.discard()
    }
    sent?.()
  }

  /** The peer has ended its side of the stream. */
  streamEnded(): void {
    this.#takeEnd(new StreamEnd('ended'))
  }

  /** The stream is gone, or given up. */
  streamClosed(error?: Error): void {
    if (this.phase === 'closed') return
    // What ends before it has begun, or a second time, is no work.
    if (this.phase === 'connected') this.#takeEnd(new StreamEnd('closed', error))
    else if (this.#streamEnd?.isPutOff !== false) this.close(error)
    else this.#streamEnd.kind = 'closed'
  }

  /** Thousands may end in the same turn. And what came before the end, DISCONNECT perhaps, takes effect before it does. */
  #takeEnd(end: StreamEnd): void {
    const { turn } = this.engine
    if (this.#streamEnd !== undefined) return this.#streamEnd.merge(end)
    this.#streamEnd = end
    if (this.#reading.isHeldFor(ReadHold.turn) || end.waits(this, this.#reading)) return
    if (turn.enter()) {
      turn.credit -= endUnits
      this.#finish(end)
    } else turn.giveWay(this)
  }

  #finish({ kind, error }: StreamEnd): void {
    this.#streamEnd = undefined
    if (kind === 'closed') return this.close(error)
    const announce = this.isOpen ? this.#leave({ reason: 'cut' }) : undefined
    this.outbox.close()
    // A second end makes an error with its stack: 25 µs.
    if (!this.stream.writableEnded) this.stream.end()
    this.stream.destroy()
    announce?.()
  }

  /** The stream is gone, or given up. Idempotent. */
  close(error?: Error): void {
    if (this.phase === 'closed') return
    const announce = this.isOpen ? this.#leave({ reason: 'cut', ...(error && { error }) }) : undefined
    this.outbox.close()
    this.phase = 'closed'
    this.#reading.close()
    this.deadlines.cancel()
    this.engine.connections.delete(this)
    this.#closed?.come()
    announce?.()
  }

  /** Settles when the stream is gone, or given up: at most `closeTimeout` after the connection has ended. */
  whenClosed(): Promise<void> {
    if (this.phase === 'closed') return Promise.resolve()
    this.#closed ??= new AwaitedEnd()
    return this.#closed.promise
  }

  /** From here on nothing of this connection takes effect any more. The program is told of it afterwards. */
  #leave(ending: Ending): () => void {
    const before = this.phase
    this.phase = 'closing'
    const announce = this.ended(ending, before)
    this.deadlines.awaitClose()
    this.#pressure?.releaseWaiters()
    this.#reading.abandon()
    // A program that waits for it would wait for ever.
    if (this.stream.listenerCount('drain') > 1) this.stream.emit('drain')
    return announce
  }
}
