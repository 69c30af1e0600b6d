import type { Duplex } from 'node:stream'
import type { ProtocolVersion } from '@x/packet'
import { BrokerError } from '../ground/broker-error.ts'
import type { Deadlined } from '../ground/deadline-wheel.ts'
import { ReasonCode } from '../ground/reason-code.ts'
import type { ConnectionHost, ConnectionProfile, Phase } from './connection-host.ts'
import type { Ending } from './ending.ts'
import { hasUnreadEnd } from './stream-end.ts'

/** The connection that has the deadlines. */
interface DeadlineConnection {
  readonly engine: ConnectionHost
  readonly stream: Duplex
  readonly profile: ConnectionProfile | undefined
  readonly version: ProtocolVersion
  readonly phase: Phase
  readonly isHeld: boolean
  /** When the last bytes came in, in ms of the engine's clock. */
  readonly lastReceived: number
  end(ending: Ending): void
  /** The stream is gone, or given up. */
  close(): void
  /** Checks what the reading and the outbox wait for. Returns when to check again, or 0. */
  checkFlow(now: number): number
}

/** The deadlines of one connection: for its CONNECT, its Keep Alive, and its close. All times are in ms of the engine's clock. */
export class ConnectionDeadlines implements Deadlined {
  wheelTick = 0
  readonly #connection: DeadlineConnection
  /** ms of silence that end the connection; 0: never. MQTT 5.0 §3.1.2.10 */
  #keepAlive = 0
  /** When CONNECT must have come, or the peer must have closed; 0: no such deadline. */
  #deadline: number

  constructor(connection: DeadlineConnection, now: number) {
    this.#connection = connection
    this.#deadline = now + this.#connectTimeout
    connection.engine.wheel.schedule(this, this.#deadline)
  }

  /** CONNECT was accepted; from now on the Keep Alive counts.
   * @param keepAlive ms of silence that end the connection; 0: never */
  accept(keepAlive: number): void {
    const { lastReceived, engine } = this.#connection
    this.#keepAlive = keepAlive
    this.#deadline = 0
    engine.wheel.cancel(this)
    if (keepAlive > 0) engine.wheel.schedule(this, lastReceived + keepAlive)
  }

  /** The connection has ended on this side, or the stream has while packets are held up: `closeTimeout` is left for the rest. */
  awaitClose(): void {
    const { clock, options, wheel } = this.#connection.engine
    this.#deadline = clock.now() + options.closeTimeout
    wheel.cancel(this)
    wheel.schedule(this, this.#deadline)
  }

  /** Reading rests, so the end of the stream may stay behind bytes that are not read: looks for it every `closeTimeout`. */
  watch(): void {
    const { clock, options, wheel } = this.#connection.engine
    wheel.schedule(this, clock.now() + options.closeTimeout)
  }

  /** Looks for the end once. A hook or the store may never let the bytes be read that are before it. Returns when to look again. */
  checkEnd(now: number): number {
    const { stream, engine } = this.#connection
    if (this.#deadline === 0 && hasUnreadEnd(stream)) this.awaitClose()
    return now + engine.options.closeTimeout
  }

  cancel(): void {
    this.#connection.engine.wheel.cancel(this)
  }

  checkDeadlines(now: number): number {
    const connection = this.#connection
    if (connection.phase === 'closed') return 0
    if (this.#deadline > 0) return this.#checkPhase(now)
    const next = this.#keepAlive > 0 ? this.#checkKeepAlive(now) : 0
    const flow = connection.checkFlow(now)
    return this.#deadline > 0 ? this.#deadline : sooner(next, flow)
  }

  get #connectTimeout(): number {
    const { profile, engine } = this.#connection
    return profile?.connectTimeout ?? engine.options.connectTimeout
  }

  #checkPhase(now: number): number {
    const connection = this.#connection
    if (now < this.#deadline) return this.#deadline
    // A stream that has ended while packets were held up may leave its connection connected.
    const { phase, stream } = connection
    if (phase === 'closing' || phase === 'connected' || (phase === 'connecting' && hasUnreadEnd(stream))) {
      stream.destroy()
      // A stream that has no 'close' event reports nothing further.
      connection.close()
      return 0
    }
    const connectTimeout = this.#connectTimeout
    if (phase === 'connecting') {
      // CONNECT has come; a hook or the store keeps it waiting, not the client.
      this.#deadline = now + connectTimeout
      return this.#deadline
    }
    connection.end({
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

  /** Destroys the stream of a peer that has fallen silent, unless a DISCONNECT is on its way to it. */
  #abandon(): void {
    if (this.#connection.version !== 5) this.#connection.stream.destroy()
  }

  #checkKeepAlive(now: number): number {
    const connection = this.#connection
    const keepAlive = this.#keepAlive
    const at = connection.lastReceived + keepAlive
    if (now < at) return at
    // While reading rests, the client's silence is not its fault.
    if (connection.isHeld) return now + keepAlive
    connection.end({
      reason: 'keepAlive',
      reasonCode: ReasonCode.keepAliveTimeout,
      error: new BrokerError('KEEP_ALIVE_TIMEOUT', {
        message: 'keep alive timeout',
        detail: `nothing came for ${keepAlive} ms, one and a half times the keep alive`,
        reasonCode: ReasonCode.keepAliveTimeout,
      }),
    })
    this.#abandon()
    return 0
  }
}

/** The earlier of two times, of which 0 is none. */
export function sooner(one: number, other: number): number {
  return one === 0 || (other !== 0 && other < one) ? other : one
}
