import type { Duplex } from 'node:stream'
import type { MaybePromise } from '@x/contract'
import { FrameReader } from '@x/packet'
import type { ProtocolVersion } from '@x/packet'
import { BrokerError } from '../ground/broker-error.ts'
import type { ConnectionDeadlines } from './connection-deadlines.ts'
import { isPromise } from '../ground/maybe-promise.ts'
import { ReasonCode } from '../ground/reason-code.ts'
import type { ConnectionHost, Phase } from './connection-host.ts'
import { foreignProtocol } from './foreign-protocol.ts'
import { RateLimit } from './rate-limit.ts'
import { arePassing, ReadHold } from './read-hold.ts'
import type { Yielding } from './turn.ts'
import { noBytes } from '../ground/no-bytes.ts'

/** The connection whose packets are read. */
interface ReadConnection extends Yielding {
  readonly deadlines: ConnectionDeadlines
  readonly engine: ConnectionHost
  readonly stream: Duplex
  readonly outbox: { readonly full: boolean }
  readonly phase: Phase
  readonly isOpen: boolean
  readonly isHeld: boolean
  /** Returns the MQTT bytes of a chunk that came before CONNECT. */
  decode(chunk: Buffer): Buffer
  /** Has one packet take effect. A promise: the next packet waits for it. */
  receive(reader: FrameReader): MaybePromise<void>
  /** Ends the connection because of an error. */
  fail(thrown: unknown): void
  /** Refuses a client that is not connected yet. */
  refuse(error: Error): void
  /** Reading has gone on, as far as it may. */
  readOn(): void
}

/** Reads one connection: cuts its chunks into packets and has each take effect, in order. Reading rests as long as there is any reason
 * of {@link ReadHold}. */
export class PacketReading {
  readonly #connection: ReadConnection
  readonly #reader: FrameReader
  /** When the last bytes came in, in ms of the engine's clock. */
  lastReceived: number
  /** Bits of {@link ReadHold}. */
  #holds = 0
  #isProcessing = false
  /** Number of the turn in which packets of this connection last took effect. */
  #turn = -1
  /** {@link pauseIfHeld} is scheduled. */
  #isPausing = false
  /** Undefined without limits on packets or bytes per second. */
  #rate: RateLimit | undefined
  /** Only a part of a packet has come. */
  #hasUnfinished = false

  constructor(connection: ReadConnection, now: number) {
    this.#connection = connection
    this.#reader = new FrameReader({ maximumPacketSize: connection.engine.options.maximumConnectPacketSize })
    this.lastReceived = now
  }

  get isHeld(): boolean {
    return this.#holds !== 0
  }

  /** Whether reading rests for this reason, one of {@link ReadHold}. */
  isHeldFor(reason: number): boolean {
    return (this.#holds & reason) !== 0
  }

  /** Whether whole packets are held up that will soon take effect. */
  get holdsPackets(): boolean {
    return arePassing(this.#holds) && this.#reader.countFrames(1) > 0
  }

  /** A CONNECT was accepted: from now on larger packets may come, and the limits on rates hold. */
  accept(version: ProtocolVersion, maximumPacketSize: number): void {
    const { clock, options } = this.#connection.engine
    this.#reader.maximumPacketSize = maximumPacketSize
    this.#reader.version = version
    this.lastReceived = clock.now()
    if (options.maximumPacketRate > 0 || options.maximumByteRate > 0) {
      this.#rate = new RateLimit(options, this.lastReceived)
    }
  }

  /** Takes a chunk from the stream. It must not change afterwards: messages are views into it. */
  take(chunk: Buffer): void {
    const connection = this.#connection
    const { engine, stream } = connection
    if (!connection.isOpen) return
    // Most packets are answered, and the answers would pile up as fast as the client sends. Checked only when bytes come: a client
    // that sends nothing must not be held, since its silence counts against its Keep Alive.
    if (connection.outbox.full) this.hold(ReadHold.outbox)
    if (this.#holds !== 0) {
      // The stream delivered one more chunk before it was paused: the chunk goes back. It must be paused first, since a flowing stream
      // would deliver the chunk again at once.
      stream.pause()
      stream.unshift(chunk)
      return
    }
    // Not the wheel's time, which stands still while the event loop is busy. This costs 30 ns for each chunk.
    this.lastReceived = engine.clock.now()
    engine.counters.bytesReceived += chunk.length
    const isFirst = connection.phase === 'awaitingConnect'
    const bytes = isFirst && engine.options.trustProxy ? this.#decode(chunk) : chunk
    if (bytes.length === 0) return
    if (isFirst && this.#reader.buffered === 0 && this.#isForeign(bytes)) return
    this.#reader.push(bytes)
    this.#process()
    // A complete packet was charged by its size.
    if (this.#hasUnfinished) engine.turn.credit -= bytes.length >> 9
  }

  /** Adds a reason to rest, one of {@link ReadHold}. */
  hold(reason: number): void {
    if (this.#holds === 0) this.#connection.stream.pause()
    this.#holds |= reason
    if (arePassing(reason)) this.#connection.deadlines.watch()
  }

  /** Removes a reason to rest; when it was the last one, reading goes on. */
  release(reason: number): void {
    if ((this.#holds & reason) === 0) return
    this.#holds &= ~reason
    if (this.#isProcessing) return
    if (this.#holds === 0) this.#process()
    this.#connection.readOn()
  }

  /** Discards everything that still comes: unread bytes would make the close a reset, and the peer might lose what was sent last. */
  discard(): void {
    this.#holds = 0
    this.#connection.stream.resume()
  }

  /** Forgets the packets that are left: the connection ends. */
  abandon(): void {
    this.#reader.abandon()
    if (this.#hasUnfinished) this.#connection.engine.unfinishedPackets.end(this.#connection)
  }

  /** Releases the last chunk. */
  close(): void {
    this.#reader.source = noBytes
  }

  /** Whether a stream that rests has ended, or its client may be read again. Returns when to look again (engine's ms), or 0. */
  check(now: number): number {
    if (arePassing(this.#holds)) return this.#connection.deadlines.checkEnd(now)
    const restsUntil = this.#rate?.restsUntil ?? 0
    if (restsUntil > now) return restsUntil
    // In a turn of its own: what is left of the packets may reach the limit again.
    if (restsUntil > 0 && this.isHeldFor(ReadHold.rate)) setImmediate(endRest, this)
    return 0
  }

  /** Pauses the stream, unless reading goes on by now. */
  pauseIfHeld(): void {
    this.#isPausing = false
    if (this.#holds === 0) return
    this.#connection.stream.pause()
    this.#connection.deadlines.watch()
  }

  /** Refuses bytes of another protocol, which could be taken for the beginning of a packet that never ends. */
  #isForeign(bytes: Buffer): boolean {
    const protocol = foreignProtocol(bytes)
    if (protocol === undefined) return false
    this.#connection.fail(
      new BrokerError('FIRST_PACKET_NOT_CONNECT', {
        message: 'Invalid protocol',
        detail: `${protocol} came where MQTT is spoken`,
        reasonCode: ReasonCode.protocolError,
      }),
    )
    return true
  }

  #decode(chunk: Buffer): Buffer {
    try {
      return this.#connection.decode(chunk)
    } catch (error) {
      this.#connection.fail(error)
      return noBytes
    }
  }

  /** Has the packets that are there take effect, in order, until there are no more or one of them has to be waited for. */
  #process(): void {
    this.#isProcessing = true
    const connection = this.#connection
    const { engine } = connection
    const { turn } = engine
    const reader = this.#reader
    const { packetsReceived } = engine.counters
    if (this.#turn !== turn.number) {
      this.#turn = turn.number
      if (!turn.enter()) {
        this.#giveWay()
        this.#isProcessing = false
        return
      }
    }
    if (turn.isSpentFor(reader.pending)) this.#giveWay()
    try {
      do {
        while (this.#holds === 0 && connection.isOpen && reader.next()) {
          engine.counters.packetsReceived += 1
          turn.credit -= 1 + ((reader.frameEnd - reader.frameStart) >> 9)
          const step = connection.receive(reader)
          if (isPromise(step)) this.#waitFor(step)
          if (this.#rate?.take(reader.frameEnd - reader.frameStart) === false) this.#rest(this.#rate)
          if (turn.credit <= 0 && turn.isOver()) this.#giveWay()
        }
        engine.run.flush()
        // This connection pays for what its run cost, not the next one.
        if (turn.credit <= 0 && this.#holds === 0 && turn.isOver()) this.#giveWay()
        // The flush may have released what this connection was to wait for.
      } while (this.#holds === 0 && connection.isOpen && !reader.isDrained)
    } catch (error) {
      engine.run.flush()
      connection.fail(error)
    }
    this.#isProcessing = false
    if (reader.reserved > 0 || this.#hasUnfinished) this.#countUnfinished(packetsReceived)
    // The stream may have been paused meanwhile, or until now.
    if (this.#holds === 0 && connection.phase !== 'closed' && connection.stream.isPaused()) connection.stream.resume()
  }

  #countUnfinished(packetsBefore: number): void {
    const connection = this.#connection
    const { unfinishedPackets, counters } = connection.engine
    const { reserved } = this.#reader
    this.#hasUnfinished = reserved > 0 && connection.isOpen
    if (!this.#hasUnfinished) unfinishedPackets.end(connection)
    else if (counters.packetsReceived > packetsBefore) unfinishedPackets.begin(connection, reserved)
    else unfinishedPackets.goOn(connection, reserved)
  }

  /** The client has sent as much as it may in this second. */
  #rest(rate: RateLimit): void {
    const connection = this.#connection
    const { clock, counters, wheel } = connection.engine
    const now = clock.now()
    const problem = rate.rest(now)
    if (problem !== undefined) connection.fail(problem)
    if (rate.restsUntil <= now || !connection.isOpen) return
    counters.readingRested += 1
    this.hold(ReadHold.rate)
    wheel.schedule(connection.deadlines, rate.restsUntil)
  }

  #giveWay(): void {
    if (!this.#connection.isOpen) return
    this.hold(ReadHold.turn)
    this.#connection.engine.turn.giveWay(this.#connection)
  }

  #waitFor(step: Promise<void>): void {
    if (this.#holds === 0) this.#pauseSoon()
    this.#holds |= ReadHold.step
    if (this.#connection.phase === 'connecting') this.#checkQueue()
    step.then(
      () => this.release(ReadHold.step),
      (error: unknown) => {
        this.#connection.fail(error)
        this.release(ReadHold.step)
      },
    )
  }

  /** Pauses the stream if the step is not done once no other step can go on without the event loop. Most asynchronous hooks are done
   * by then, and pausing and resuming a socket for each message cost a sixth (hook-async: 250 instead of 295 k/s). */
  #pauseSoon(): void {
    if (this.#isPausing) return
    this.#isPausing = true
    queueMicrotask(() => process.nextTick(pauseIfHeld, this))
  }

  /** Packets behind a CONNECT wait until it is answered; more than `queueLimit` of them are refused. */
  #checkQueue(): void {
    const { queueLimit } = this.#connection.engine.options
    if (this.#reader.countFrames(queueLimit + 1) <= queueLimit) return
    const error = new BrokerError('QUEUE_LIMIT', {
      message: 'Client queue limit reached',
      detail: `more than queueLimit of ${queueLimit} packets came before CONNACK`,
      reasonCode: ReasonCode.quotaExceeded,
    })
    this.#connection.refuse(error)
  }
}

function endRest(reading: PacketReading): void {
  reading.release(ReadHold.rate)
}

function pauseIfHeld(reading: PacketReading): void {
  reading.pauseIfHeld()
}
