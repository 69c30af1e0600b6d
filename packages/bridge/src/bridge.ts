import { EventEmitter } from 'node:events'
import { hostname } from 'node:os'
import type { BridgeStatus, BridgeTraffic, PluggableBroker, Plugin } from '@x/contract'
import { BridgeError } from './bridge-error.ts'
import { checkOptions } from './bridge-options.ts'
import type { BridgeOptions, CheckedOptions } from './bridge-options.ts'
import { Crossing } from './crossing.ts'
import { simplerDialect } from './dialect.ts'
import type { Dialect } from './dialect.ts'
import { LoopGuard } from './loop-guard.ts'
import { ReconnectDelay } from './reconnect-delay.ts'
import { openTransport } from './remote-address.ts'

/** The events of a bridge, with what their listeners get. */
export interface BridgeEvents {
  /** Messages go through. */
  connected: [address: string]
  /** The connection is lost, or could not be made; the bridge tries again unless it has ended. */
  disconnected: [error: BridgeError]
}

/** A plugin that carries messages between the broker it is given to and another one. */
export interface Bridge extends Plugin, EventEmitter<BridgeEvents> {
  /** `ended` after `startType: 'once'` or a close. */
  readonly state: BridgeStatus['state']
  readonly counters: BridgeStatus['counters']
}

/** Carries messages between the broker that it is a plugin of and another broker, both ways. What waits while the other broker is
 * away waits in the bridge's session at this one, within the limits of its queues.
 * @throws BridgeError `BRIDGE_OPTION_INVALID`, naming the option, its value and what it may be */
export function bridge(options: BridgeOptions): Bridge {
  return new BridgePlugin(checkOptions(options, hostname()))
}

class BridgePlugin extends EventEmitter<BridgeEvents> implements Bridge {
  readonly name: string
  readonly #options: CheckedOptions
  readonly #counts = { in: noMessages(), out: noMessages(), connections: 0, failures: 0 }
  readonly #delay: ReconnectDelay
  #broker: PluggableBroker | undefined
  #state: BridgeStatus['state'] = 'idle'
  #dialect: Dialect
  #crossing: Crossing | undefined
  /** Of the addresses, the one to try. */
  #current = 0
  #timer: unknown
  #abort = new AbortController()
  #connectedAt = 0
  /** The last failure that was reported, so that one that comes again and again is told once. */
  #reported: string | undefined

  constructor(options: CheckedOptions) {
    super()
    this.#options = options
    this.name = `bridge ${options.name}`
    this.#delay = new ReconnectDelay(options.reconnectDelay)
    this.#dialect = firstDialect(options)
  }

  get state(): BridgeStatus['state'] {
    return this.#state
  }

  get counters(): BridgeStatus['counters'] {
    return this.#counts
  }

  async attach(broker: PluggableBroker): Promise<() => Promise<void>> {
    if (this.#broker !== undefined) {
      throw new BridgeError('BRIDGE_ATTACHED', `${this.name} belongs to broker ${this.#broker.id} already`)
    }
    this.#broker = broker
    const status = this.#status()
    broker.bridges?.add(status)
    await this.#tellState('0')
    // After this turn: the broker opens when its plugins are attached.
    this.#again(0)
    return () => {
      broker.bridges?.delete(status)
      return this.#close()
    }
  }

  /** Under the name that it was given, which stands in the configuration. */
  #status(): BridgeStatus {
    const state = (): BridgeStatus['state'] => this.#state
    return {
      name: this.#options.name,
      counters: this.#counts,
      get state() {
        return state()
      },
    }
  }

  async #close(): Promise<void> {
    const { clock } = this.#options
    this.#state = 'ended'
    clock.clearTimeout(this.#timer)
    this.#abort.abort()
    this.#crossing?.close()
    await this.#tellState('0')
    this.#broker = undefined
  }

  /** Tries again in so many ms. */
  #again(delay: number): void {
    this.#state = 'waiting'
    this.#timer = this.#options.clock.setTimeout(() => void this.#connect(), delay)
  }

  async #connect(): Promise<void> {
    const { addresses, clock, connectTimeout, tls, bindAddress, detectLoops, remoteId } = this.#options
    const broker = this.#broker
    const address = addresses[this.#current % addresses.length]
    if (broker === undefined || address === undefined) return
    this.#state = 'connecting'
    this.#abort = new AbortController()
    const { signal } = this.#abort
    const timer = clock.setTimeout(() => this.#abort.abort(), connectTimeout)
    const crossing = new Crossing({
      broker,
      options: this.#options,
      dialect: this.#dialect,
      guard: detectLoops ? new LoopGuard(broker.id, remoteId) : undefined,
      counters: this.#counts,
      remoteName: `the broker at ${address.text}`,
      ended: error => this.#lost(error),
    })
    this.#crossing = crossing
    try {
      const stream = await openTransport(address, { tls, bindAddress, signal })
      signal.addEventListener('abort', () => stream.destroy(new Error(`no CONNACK within ${connectTimeout} ms`)))
      await crossing.open(stream)
    } catch (error) {
      return this.#failed(crossing, asBridgeError(error))
    } finally {
      clock.clearTimeout(timer)
    }
    if (this.#crossing !== crossing || this.#state !== 'connecting') return
    if (crossing.isOver)
      return this.#failed(crossing, new BridgeError('BRIDGE_CONNECTION_LOST', 'the connection was lost'))
    this.#state = 'connected'
    this.#counts.connections += 1
    this.#connectedAt = clock.monotonic()
    this.#reported = undefined
    this.emit('connected', address.text)
    await this.#tellState('1')
  }

  /** The connection did not come to stand. */
  #failed(crossing: Crossing, error: BridgeError): void {
    if (this.#crossing !== crossing || this.#state === 'ended') return
    this.#crossing = undefined
    const simpler = simplerDialect(this.#dialect, error, this.#options)
    if (simpler !== undefined) {
      this.#dialect = simpler
      return this.#again(0)
    }
    this.#counts.failures += 1
    this.#current += 1
    this.#over(error)
  }

  /** The connection stood and is lost, or is lost while it comes to stand, which `#failed` deals with. */
  #lost(error: BridgeError): void {
    if (this.#state !== 'connected') return
    this.#crossing = undefined
    this.#delay.ended(this.#options.clock.monotonic() - this.#connectedAt)
    void this.#tellState('0')
    this.#over(error)
  }

  #over(error: BridgeError): void {
    if (this.#options.startType === 'once') this.#state = 'ended'
    else this.#again(this.#delay.next())
    if (this.#reported !== error.message) {
      this.#reported = error.message
      this.#broker?.reportError(
        new BridgeError(error.code, `${this.name}: ${error.message}`, { cause: error, reasonCode: error.reasonCode }),
      )
    }
    this.emit('disconnected', error)
  }

  /** Tells this broker's clients whether the bridge stands. */
  async #tellState(payload: '0' | '1'): Promise<void> {
    const { notifications, notificationTopic: topic } = this.#options
    if (notifications === false) return
    try {
      await this.#broker?.publish({ topic, payload, qos: 1, retain: true })
    } catch (error) {
      if (this.#state !== 'ended') this.#broker?.reportError(asBridgeError(error))
    }
  }
}

function firstDialect({ protocolVersion: version, tryPrivate, outgoingRetain }: CheckedOptions): Dialect {
  return { version, bridgeBit: tryPrivate && version !== 5, retain: outgoingRetain, maximumQos: 2 }
}

function noMessages(): BridgeTraffic {
  return { messages: 0, bytes: 0, droppedLoop: 0, droppedTooLarge: 0, refused: 0 }
}

function asBridgeError(error: unknown): BridgeError {
  if (error instanceof BridgeError) return error
  const message = error instanceof Error ? error.message : String(error)
  return new BridgeError('BRIDGE_CONNECTION_LOST', message, { cause: error })
}
