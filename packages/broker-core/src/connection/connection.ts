import type { Duplex } from 'node:stream'
import type { Clock, Counters, MaybePromise } from '@x/contract'
import { FrameReader, encode } from '@x/packet'
import type { ConnackProperties, Packet, ProtocolVersion } from '@x/packet'
import { BackPressure } from './back-pressure.ts'
import {
  BrokerError,
  asReasonString,
  reasonCodeFrom,
  reasonStringOf,
  serverReferenceOf,
  toError,
} from '../ground/broker-error.ts'
import type { Deadlined, DeadlineWheel } from '../ground/deadline-wheel.ts'
import type { Ending } from './ending.ts'
import { foreignProtocol } from './foreign-protocol.ts'
import { ReadHold } from './read-hold.ts'
import type { CheckedOptions } from '../ground/limits.ts'
import { isPromise } from '../ground/maybe-promise.ts'
import { Outbox } from './outbox.ts'
import type { OutboxContext, OutboxOwner } from './outbox.ts'
import { PauseAllowance } from './pause-allowance.ts'
import { RateLimit } from './rate-limit.ts'
import { ReasonCode, codeFor } from '../ground/reason-code.ts'
import type { Turn, Yielding } from './turn.ts'
import type { UnfinishedPackets } from './unfinished-packets.ts'

/** - `awaitingConnect`: nothing but CONNECT may come
 * - `connecting`: CONNECT is being answered; reading rests
 * - `authenticating`: the client's next AUTH is awaited (MQTT 5.0 §4.12)
 * - `connected`: CONNACK with success is out
 * - `closing`: our last byte is written; what still comes in is thrown away
 * - `closed` */
export type Phase = 'awaitingConnect' | 'connecting' | 'authenticating' | 'connected' | 'closing' | 'closed'

/** What connections need of the engine. */
export interface ConnectionHost {
  readonly options: CheckedOptions
  readonly clock: Clock
  readonly wheel: DeadlineWheel
  readonly counters: Counters
  readonly turn: Turn
  readonly outboxContext: OutboxContext
  readonly unfinishedPackets: UnfinishedPackets
  /** Every open connection. */
  readonly connections: Set<Connection>
  /** Messages of one connection that are collected; they take effect by `flush`. */
  readonly run: { flush(): void }
}

/** What the listener of a connection says of it. */
export interface ConnectionProfile {
  /** Name of the listener. */
  readonly name: string
  /** ms until CONNECT must have come. */
  readonly connectTimeout: number
}

/** What became of a stream. `ended`: the peer's side of it. */
interface StreamEnd {
  readonly kind: 'ended' | 'closed'
  readonly error?: Error | undefined
}

/** What the end of a connection takes of a turn, in units of `Turn.credit`. */
const endUnits = 24

/** Bytes: no limit. */
const unlimited = 0xffffffff

const noPacket: Buffer = Buffer.alloc(0)

/** One client's byte stream, from its first byte to its last: cuts it into packets, has each take effect in order, and
 * watches over its deadlines. What the packets mean is the protocol's, which is handed to it by the abstract methods. */
export abstract class Connection<Host extends ConnectionHost = ConnectionHost>
  implements OutboxOwner, Deadlined, Yielding
{
  readonly engine: Host
  readonly stream: Duplex
  /** Undefined when the stream was handed over without a listener. */
  readonly profile: ConnectionProfile | undefined
  readonly outbox: Outbox
  readonly #reader: FrameReader
  /** From CONNECT; until then 3.1.1. */
  version: ProtocolVersion = 4
  phase: Phase = 'awaitingConnect'
  /** Bytes the client takes in one packet. MQTT 5.0 §3.1.2.11.4 */
  maximumPacketSize: number = unlimited
  wheelTick = 0
  /** When the last bytes came in. */
  #lastReceived: number
  /** ms of silence that end the connection; 0: never. MQTT 5.0 §3.1.2.10 */
  keepAlive = 0
  /** When CONNECT, or after closing the peer's end, must have come; 0: no such deadline. */
  #deadline: number
  /** Bits of {@link ReadHold}. */
  #holds = 0
  #processing = false
  /** Number of the turn in which packets of it were last acted on. */
  #turn = -1
  /** {@link pauseIfHeld} is on its way. */
  #pausing = false
  /** Undefined until more piles up for this client than it takes. */
  #pressure: BackPressure | undefined
  /** Connections this one waits for. */
  #waitingFor = 0
  /** Undefined until it has to wait for somebody. */
  #pauses: PauseAllowance | undefined
  /** Undefined without such limits. */
  #rate: RateLimit | undefined
  /** What has become of the stream, as far as it takes effect in a later turn. */
  #over: StreamEnd | undefined
  /** A packet of which not all bytes have come. */
  #hasUnfinished = false
  /** Another connection, here or elsewhere, has the client id. */
  takenOver = false
  /** Made when somebody waits for the end. */
  #closed: Promise<void> | undefined
  #closing: (() => void) | undefined

  constructor(engine: Host, stream: Duplex, profile: ConnectionProfile | undefined) {
    this.engine = engine
    this.stream = stream
    this.profile = profile
    this.#reader = new FrameReader({ maximumPacketSize: engine.options.maximumConnectPacketSize })
    this.outbox = new Outbox(stream, engine.outboxContext, this)
    const now = engine.clock.now()
    this.#lastReceived = now
    this.#deadline = now + this.#connectTimeout
    engine.wheel.schedule(this, this.#deadline)
  }

  /** Returns the MQTT bytes of a chunk that came before CONNECT, where a proxy may have written others. */
  protected abstract decode(chunk: Buffer): Buffer

  /** Has the packet at which the reader stands take effect. A promise: the next packet waits for it. */
  protected abstract receive(reader: FrameReader): MaybePromise<void>

  /** Sends what waits for the client, as far as there is room. Returns whether too much still waits. */
  protected abstract sendWaiting(): boolean

  /** Refuses a client that is not connected yet, and ends the connection. */
  protected abstract refuse(error: Error): void

  /** Ends the client's session; `before` is the phase that the connection leaves. Returns what tells the program of it, to be called
   * when the connection has left completely. */
  protected abstract ended(ending: Ending, before: Phase): () => void

  /** A CONNECT was accepted: from now on larger packets may come. */
  accepted(maximumPacketSize: number): void {
    this.phase = 'connected'
    this.#deadline = 0
    this.#reader.maximumPacketSize = maximumPacketSize
    this.#reader.version = this.version
    this.#lastReceived = this.engine.clock.now()
    const { options } = this.engine
    if (options.maximumPacketRate > 0 || options.maximumByteRate > 0) {
      this.#rate = new RateLimit(options, this.#lastReceived)
    }
    this.engine.wheel.cancel(this)
    if (this.keepAlive > 0) this.engine.wheel.schedule(this, this.#keepAliveDeadline())
  }

  // ── bytes in ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Takes a chunk from the stream. It must not change afterwards: messages are views into it. */
  chunkReceived(chunk: Buffer): void {
    if (this.phase === 'closing' || this.phase === 'closed') return
    // Most packets are answered, and the answers would pile up as fast as it sends. Not before it does: its silence counts.
    if (this.outbox.full) this.hold(ReadHold.outbox)
    if (this.#holds !== 0) {
      // A stream that was not stopped yet, or delivers one more chunk all the same: it goes back to where it came from. Into a
      // stream that flows it would not go, but come again at once.
      this.stream.pause()
      this.stream.unshift(chunk)
      return
    }
    // Not the wheel's time, which stands still while the event loop does: 30 ns for each chunk.
    this.#lastReceived = this.engine.clock.now()
    this.engine.counters.bytesReceived += chunk.length
    const bytes = this.phase === 'awaitingConnect' && this.engine.options.trustProxy ? this.#decode(chunk) : chunk
    if (bytes.length === 0) return
    if (this.phase === 'awaitingConnect' && this.#reader.buffered === 0 && this.#isForeign(bytes)) return
    this.#reader.push(bytes)
    this.#process()
    // Of a packet that is complete its size is counted.
    if (this.#hasUnfinished) this.engine.turn.credit -= bytes.length >> 9
  }

  /** Some of it would be taken for the beginning of a packet that never comes. */
  #isForeign(bytes: Buffer): boolean {
    const spoken = foreignProtocol(bytes)
    if (spoken === undefined) return false
    this.fail(
      new BrokerError('FIRST_PACKET_NOT_CONNECT', {
        message: 'Invalid protocol',
        detail: `${spoken} came where MQTT is spoken`,
        reasonCode: ReasonCode.protocolError,
      }),
    )
    return true
  }

  #decode(chunk: Buffer): Buffer {
    try {
      return this.decode(chunk)
    } catch (error) {
      this.fail(error)
      return noPacket
    }
  }

  /** What the client sends is not read at present. */
  get isHeld(): boolean {
    return this.#holds !== 0
  }

  hold(reason: number): void {
    if (this.#holds === 0) this.stream.pause()
    this.#holds |= reason
  }

  release(reason: number): void {
    if ((this.#holds & reason) === 0) return
    this.#holds &= ~reason
    if (this.#holds === 0 && !this.#processing) this.#process()
  }

  /** Acts on the packets that are there, in order, until there are no more or one of them has to be waited for. */
  #process(): void {
    this.#processing = true
    const { engine } = this
    const { turn } = engine
    const reader = this.#reader
    const { packetsReceived } = engine.counters
    if (this.#turn !== turn.number) {
      this.#turn = turn.number
      if (!turn.enter()) {
        this.#giveWay()
        this.#processing = false
        return
      }
    }
    if (turn.isSpentFor(reader.pending)) this.#giveWay()
    try {
      do {
        while (this.#holds === 0 && this.#isOpen() && reader.next()) {
          engine.counters.packetsReceived += 1
          turn.credit -= 1 + ((reader.frameEnd - reader.frameStart) >> 9)
          const step = this.receive(reader)
          if (isPromise(step)) this.#waitFor(step)
          if (this.#rate?.take(reader.frameEnd - reader.frameStart) === false) this.#rest(this.#rate)
          if (turn.credit <= 0 && turn.isOver()) this.#giveWay()
        }
        engine.run.flush()
        // What that cost is for this connection to pay, not for the next one.
        if (turn.credit <= 0 && this.#holds === 0 && turn.isOver()) this.#giveWay()
        // That may have made room for what this connection was to wait for.
      } while (this.#holds === 0 && this.#isOpen() && !reader.isDrained)
    } catch (error) {
      engine.run.flush()
      this.fail(error)
    }
    this.#processing = false
    if (reader.reserved > 0 || this.#hasUnfinished) this.#countUnfinished(packetsReceived)
    // Held and released meanwhile, or held until now.
    if (this.#holds === 0 && this.phase !== 'closed' && this.stream.isPaused()) this.stream.resume()
  }

  #countUnfinished(packetsBefore: number): void {
    const { unfinishedPackets, counters } = this.engine
    const { reserved } = this.#reader
    this.#hasUnfinished = reserved > 0 && this.#isOpen()
    if (!this.#hasUnfinished) unfinishedPackets.end(this)
    else if (counters.packetsReceived > packetsBefore) unfinishedPackets.begin(this, reserved)
    else unfinishedPackets.goOn(this, reserved)
  }

  /** The client has sent all that it may in this second. */
  #rest(rate: RateLimit): void {
    const { clock, counters, wheel } = this.engine
    const now = clock.now()
    const problem = rate.rest(now)
    if (problem !== undefined) this.fail(problem)
    if (rate.restsUntil <= now || !this.#isOpen()) return
    counters.readingRested += 1
    this.hold(ReadHold.rate)
    wheel.schedule(this, rate.restsUntil)
  }

  #giveWay(): void {
    if (!this.#isOpen()) return
    this.hold(ReadHold.turn)
    this.engine.turn.giveWay(this)
  }

  goOn(): boolean {
    this.release(ReadHold.turn)
    if ((this.#holds & ReadHold.turn) !== 0) return true
    const over = this.#over
    this.#over = undefined
    if (over !== undefined) this.#finish(over)
    return false
  }

  #waitFor(step: Promise<void>): void {
    if (this.#holds === 0) this.#pauseSoon()
    this.#holds |= ReadHold.step
    if (this.phase === 'connecting') this.#checkQueue()
    step.then(
      () => this.release(ReadHold.step),
      (error: unknown) => {
        this.fail(error)
        this.release(ReadHold.step)
      },
    )
  }

  /** Stops the stream if the step is not done when no other step can go on without the event loop. Most asynchronous hooks are
   * done by then, and stopping and starting a socket for each message cost a sixth (hook-async: 250 instead of 295 k/s). */
  #pauseSoon(): void {
    if (this.#pausing) return
    this.#pausing = true
    queueMicrotask(() => process.nextTick(pauseIfHeld, this))
  }

  pauseIfHeld(): void {
    this.#pausing = false
    if (this.#holds !== 0) this.stream.pause()
  }

  /** What stands behind a CONNECT is not acted on before that is answered, and not more than `queueLimit` packets may. */
  #checkQueue(): void {
    const { queueLimit } = this.engine.options
    if (this.#reader.countFrames(queueLimit + 1) <= queueLimit) return
    const error = new BrokerError('QUEUE_LIMIT', {
      message: 'Client queue limit reached',
      detail: `more than queueLimit of ${queueLimit} packets came before CONNACK`,
      reasonCode: ReasonCode.quotaExceeded,
    })
    this.refuse(error)
  }

  // ── bytes out ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Sends a control packet. One that exceeds the client's Maximum Packet Size goes without its reason string and user
   * properties ([MQTT5-3.2.2-19] and its like); when that doesn't help, the connection ends, since the client waits for it.
   * False: not sent. */
  sendPacket(packet: Packet): boolean {
    if (!this.#isOpen()) return false
    const limit = this.maximumPacketSize
    let bytes = encode(packet, this.version)
    if (bytes.length > limit) bytes = encode(withoutWords(packet), this.version)
    if (bytes.length <= limit) {
      this.outbox.append(bytes)
      this.engine.counters.controlPacketsSent += 1
      return true
    }
    if (packet.cmd !== 'disconnect') {
      this.end({
        reason: 'refusal',
        reasonCode: ReasonCode.packetTooLarge,
        error: new BrokerError('MAXIMUM_PACKET_SIZE', {
          message: `${packet.cmd.toUpperCase()} of ${bytes.length} bytes exceeds the client's Maximum Packet Size of ${limit} bytes`,
          reasonCode: ReasonCode.packetTooLarge,
        }),
      })
    }
    return false
  }

  // ── flow ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Rests until `receiver` has room again, or has lost the right to be waited for. False: this publisher has waited enough for
   * receivers that take nothing, and does not wait for one more. */
  slowDownFor(receiver: Connection): boolean {
    if (receiver.phase !== 'connected') return true
    const backPressure = receiver.#backPressure
    if (backPressure.graceOver || backPressure.hasWaiter(this)) return true
    const now = this.engine.clock.now()
    this.#pauses ??= new PauseAllowance(this.engine.options.maximumPublisherPause)
    if (!this.#pauses.permits(now, backPressure.hasDrained)) {
      this.engine.counters.pausesRefused += 1
      backPressure.begin()
      return false
    }
    backPressure.addWaiter(this)
    if (this.#waitingFor === 0) this.#pauses.begin(now)
    this.#waitingFor += 1
    this.hold(ReadHold.backPressure)
    return true
  }

  /** One of those this connection waited for is no longer to be waited for. */
  waitedFor({ graceOver }: BackPressure): void {
    if (graceOver) this.#pauses?.inVain()
    this.#waitingFor -= 1
    if (this.#waitingFor > 0) return
    this.#pauses?.end(this.engine.clock.now())
    this.release(ReadHold.backPressure)
  }

  /** QoS 0 messages for this client are dropped: it had its time, and is still full. */
  get shedsLoad(): boolean {
    return this.#pressure?.graceOver === true && this.outbox.full
  }

  outboxFull(): void {
    this.#backPressure.begin()
  }

  /** The stream has thrown. */
  outboxFailed(thrown: unknown): void {
    this.stream.destroy()
    this.#close(toError(thrown))
  }

  outboxDrained(): void {
    this.relieved()
    this.release(ReadHold.outbox)
  }

  /** What had piled up for this client is (mostly) gone. */
  relieved(): void {
    if (!this.sendWaiting()) this.#pressure?.end()
  }

  get #backPressure(): BackPressure {
    this.#pressure ??= new BackPressure(this)
    return this.#pressure
  }

  // ── deadlines ─────────────────────────────────────────────────────────────────────────────────────────────────────

  checkDeadlines(now: number): number {
    if (this.phase === 'closed') return 0
    if (this.#deadline > 0) return this.#checkPhase(now)
    let next = this.keepAlive > 0 ? this.#checkKeepAlive(now) : 0
    const restsUntil = this.#rate?.restsUntil ?? 0
    if (restsUntil > now && (next === 0 || restsUntil < next)) next = restsUntil
    // Anew for what is left of its packets: that may have it rest again.
    else if (restsUntil > 0 && (this.#holds & ReadHold.rate) !== 0) setImmediate(endRest, this)
    if (this.#pressure !== undefined && this.#isOpen()) {
      const soonest = this.#pressure.check(now)
      if (soonest > 0 && (next === 0 || soonest < next)) next = soonest
    }
    return this.#deadline > 0 ? this.#deadline : next
  }

  get #connectTimeout(): number {
    return this.profile?.connectTimeout ?? this.engine.options.connectTimeout
  }

  #isOpen(): boolean {
    return this.phase !== 'closing' && this.phase !== 'closed'
  }

  #checkPhase(now: number): number {
    if (now < this.#deadline) return this.#deadline
    if (this.phase === 'closing') {
      this.stream.destroy()
      // A stream without 'close' events says no more.
      this.#close()
      return 0
    }
    const connectTimeout = this.#connectTimeout
    if (this.phase === 'connecting') {
      // It came; that it isn't answered yet is a hook's or the store's doing, not the client's.
      this.#deadline = now + connectTimeout
      return this.#deadline
    }
    this.end({
      reason: 'refusal',
      error: new BrokerError('CONNECT_TIMEOUT', {
        message: 'connect did not arrive in time',
        detail: `connectTimeout is ${connectTimeout} ms`,
        reasonCode: ReasonCode.keepAliveTimeout,
      }),
    })
    this.#abandon()
    return 0
  }

  /** Ends the stream of a peer that has fallen silent, unless there is a last word for it. */
  #abandon(): void {
    if (this.version !== 5) this.stream.destroy()
  }

  #keepAliveDeadline(): number {
    return this.#lastReceived + this.keepAlive
  }

  #checkKeepAlive(now: number): number {
    const at = this.#keepAliveDeadline()
    // While the program keeps the client waiting, its silence is not its fault.
    if (now < at) return at
    if (this.#holds !== 0) return now + this.keepAlive
    this.end({
      reason: 'keepAlive',
      reasonCode: ReasonCode.keepAliveTimeout,
      error: new BrokerError('KEEP_ALIVE_TIMEOUT', {
        message: 'keep alive timeout',
        detail: `nothing came for ${this.keepAlive} ms, one and a half times the keep alive`,
        reasonCode: ReasonCode.keepAliveTimeout,
      }),
    })
    this.#abandon()
    return 0
  }

  // ── the end ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Ends the connection because of an error: the peer's, a hook's or a part's. */
  fail(thrown: unknown): void {
    if (!this.#isOpen()) return
    const error = toError(thrown)
    if (this.phase === 'connected') {
      this.end({ reason: 'refusal', error, reasonCode: reasonCodeFrom(error, ReasonCode.unspecifiedError) })
    } else this.refuse(error)
  }

  /** Another connection holds the client id now. */
  sessionTakenOver(): void {
    this.takenOver = true
    this.end({ reason: 'takeOver', reasonCode: ReasonCode.sessionTakenOver })
  }

  /** Ends the connection from our side; idempotent. */
  end(ending: Ending): void {
    if (!this.#isOpen()) return
    if (this.phase === 'connected' && this.version === 5) this.#sendDisconnect(ending)
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
      // What the peer still sends is read and thrown away: unread bytes would make the close a reset, and the peer
      // might lose what we sent last.
      this.#holds = 0
      this.stream.resume()
    }
    sent?.()
  }

  /** The peer has ended its side of the stream. */
  streamEnded(): void {
    this.#takeEnd({ kind: 'ended' })
  }

  /** The stream is gone, or given up. */
  streamClosed(error?: Error): void {
    if (this.phase === 'closed') return
    // What ends before it has begun, or a second time, is no work.
    if (this.phase === 'connected') this.#takeEnd({ kind: 'closed', error })
    else if (this.#over === undefined) this.#close(error)
    else this.#over = { kind: 'closed', error: this.#over.error }
  }

  /** Thousands may end in the same turn. And what came before the end, DISCONNECT perhaps, takes effect before it does. */
  #takeEnd(end: StreamEnd): void {
    const { turn } = this.engine
    const before = this.#over
    this.#over = { kind: before?.kind === 'closed' ? 'closed' : end.kind, error: before?.error ?? end.error }
    if (before !== undefined || (this.#holds & ReadHold.turn) !== 0) return
    if (!turn.enter()) {
      turn.giveWay(this)
      return
    }
    turn.credit -= endUnits
    this.#over = undefined
    this.#finish(end)
  }

  #finish({ kind, error }: StreamEnd): void {
    if (kind === 'ended') this.#endedByPeer()
    else this.#close(error)
  }

  #endedByPeer(): void {
    const announce = this.#isOpen() ? this.#leave({ reason: 'cut' }) : undefined
    this.outbox.close()
    // A second end makes an error with its stack: 25 µs.
    if (!this.stream.writableEnded) this.stream.end()
    this.stream.destroy()
    announce?.()
  }

  #close(error?: Error): void {
    if (this.phase === 'closed') return
    const announce = this.#isOpen() ? this.#leave({ reason: 'cut', ...(error && { error }) }) : undefined
    this.outbox.close()
    this.phase = 'closed'
    this.#reader.source = noPacket
    this.engine.wheel.cancel(this)
    this.engine.connections.delete(this)
    this.#closing?.()
    announce?.()
  }

  /** Settles when the stream is gone, or given up: at most `closeTimeout` after the connection has ended. */
  whenClosed(): Promise<void> {
    if (this.phase === 'closed') return Promise.resolve()
    this.#closed ??= new Promise(resolve => {
      this.#closing = resolve
    })
    return this.#closed
  }

  #sendDisconnect({ error, reasonCode, serverReference = serverReferenceOf(error).serverReference }: Ending): void {
    if (reasonCode === undefined) return
    const properties = {
      // Always allowed on DISCONNECT ([MQTT5-3.1.2-29]).
      ...(error && { reasonString: reasonStringOf(error) }),
      ...(serverReference !== undefined && { serverReference: asReasonString(serverReference) }),
    }
    this.sendPacket({ cmd: 'disconnect', reasonCode: codeFor('disconnect', reasonCode), properties })
  }

  /** From here on nothing of this connection takes effect any more. The program is told of it afterwards. */
  #leave(ending: Ending): () => void {
    const before = this.phase
    this.phase = 'closing'
    const announce = this.ended(ending, before)
    this.#deadline = this.engine.clock.now() + this.engine.options.closeTimeout
    this.engine.wheel.cancel(this)
    this.engine.wheel.schedule(this, this.#deadline)
    this.#pressure?.releaseWaiters()
    this.#reader.abandon()
    if (this.#hasUnfinished) this.engine.unfinishedPackets.end(this)
    return announce
  }
}

function endRest(connection: Connection): void {
  connection.release(ReadHold.rate)
}

function pauseIfHeld(connection: Connection): void {
  connection.pauseIfHeld()
}

/** The packet without what may be left out of any. */
function withoutWords(packet: Packet): Packet {
  if (!('properties' in packet) || packet.properties === undefined) return packet
  const { reasonString: _text, userProperties: _pairs, ...properties } = packet.properties as ConnackProperties
  return { ...packet, properties } as Packet
}
