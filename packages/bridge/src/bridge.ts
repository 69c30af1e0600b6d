import { EventEmitter } from 'node:events'
import { hostname } from 'node:os'
import type { BridgeStatus, BridgeTraffic, PluggableBroker, Plugin } from '@x/contract'
import { BridgeError } from './bridge-error.ts'
import { checkOptions } from './bridge-options.ts'
import type { BridgeOptions, CheckedOptions } from './bridge-options.ts'
import { Crossing } from './crossing.ts'
import { firstDialect, simplerDialect } from './dialect.ts'
import type { Dialect } from './dialect.ts'
import { FirstAddress } from './first-address.ts'
import { LocalSession, endLocalSession } from './local-session.ts'
import { LoopGuard } from './loop-guard.ts'
import { ReconnectDelay } from './reconnect-delay.ts'
import { openTransports } from './remote-address.ts'

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
  /** Ends the bridge for good: also its session at this broker ends, with what waits in it, and that at the other one, if it is connected
   * and speaks MQTT 5.0. To be called before the plugin is detached. */
  forget(): Promise<void>
}

/** ms between two looks whether another broker on the same store still has the bridge. */
const betweenLooks = 2000

/** Carries messages between the broker that it is a plugin of and another broker, both ways. What waits while the other broker is
 * away waits in the bridge's session at this one, within the limits of its queues.
 * @throws BridgeError `BRIDGE_OPTION_INVALID`, naming the option, its value and what it may be */
export function bridge(options: BridgeOptions): Bridge {
  return new BridgePlugin(options)
}

class BridgePlugin extends EventEmitter<BridgeEvents> implements Bridge {
  readonly name: string
  readonly #given: BridgeOptions
  #options: CheckedOptions
  readonly #counts = { in: noMessages(), out: noMessages(), connections: 0, failures: 0 }
  readonly #delay: ReconnectDelay
  #broker: PluggableBroker | undefined
  #state: BridgeStatus['state'] = 'idle'
  #dialect: Dialect
  #crossing: Crossing | undefined
  /** Of the addresses, the one to try. */
  #current = 0
  readonly #first: FirstAddress | undefined
  /** Of brokers on one store this one had the bridge when it asked last. */
  #wasHere = false
  #timer: unknown
  #abort = new AbortController()
  #connectedAt = 0
  readonly #session = new LocalSession()
  /** The last failure that was reported, so that one that comes again and again is told once. */
  #reported: string | undefined

  constructor(given: BridgeOptions) {
    super()
    const options = checkOptions(given, hostname())
    this.#given = given
    this.#options = options
    this.#first = this.#firstAddress()
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
    // Whichever host has the bridge goes on with the same sessions.
    if (broker.tasks?.isShared === true) this.#options = checkOptions(this.#given, undefined)
    const status = this.#status()
    broker.bridges?.add(status)
    // The bridge may stand, at another broker on the store.
    if (broker.tasks?.isShared !== true) await this.#tellState('0')
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

  async forget(): Promise<void> {
    const broker = this.#broker
    const isElsewhere = this.#state === 'elsewhere'
    this.#end('over')
    if (broker !== undefined && !isElsewhere) await endLocalSession(broker, this.#options)
  }

  async #close(): Promise<void> {
    const isElsewhere = this.#state === 'elsewhere'
    this.#end('kept')
    if (!isElsewhere) {
      await this.#tellState('0')
      // A store that can't be asked any more gives the bridge to another broker by itself.
      await this.#broker?.tasks?.giveUp(this.name).catch(() => undefined)
    }
    this.#broker = undefined
  }

  #end(sessions: 'kept' | 'over'): void {
    this.#state = 'ended'
    this.#options.clock.clearTimeout(this.#timer)
    this.#first?.rest()
    this.#abort.abort()
    this.#crossing?.close(sessions)
  }

  /** Tries again in so many ms. */
  #again(delay: number, state: 'waiting' | 'elsewhere' = 'waiting'): void {
    this.#state = state
    this.#timer = this.#options.clock.setTimeout(() => void this.#connect(), delay)
  }

  /** Whether this broker has the bridge: of several on one store, one has. */
  async #isHere(broker: PluggableBroker): Promise<boolean> {
    const { tasks } = broker
    if (tasks?.isShared !== true) return true
    const wasHere = this.#wasHere
    this.#wasHere = await tasks.hold(this.name)
    // The previous holder may have gone without releasing it.
    if (this.#wasHere && !wasHere) await this.#tellState('0')
    return this.#wasHere
  }

  async #connect(): Promise<void> {
    const broker = this.#broker
    if (broker === undefined) return
    try {
      const isHere = await this.#isHere(broker)
      if (isHere && !this.#hasEnded) await this.#session.prepare(broker, this.#options)
      if (this.#hasEnded) return
      if (isHere) await this.#connectFrom(broker)
      else this.#again(betweenLooks, 'elsewhere')
    } catch (error) {
      // The store can't be asked.
      if (!this.#hasEnded) this.#over(asBridgeError(error))
    }
  }

  get #hasEnded(): boolean {
    return this.#state === 'ended'
  }

  async #connectFrom(broker: PluggableBroker): Promise<void> {
    const { addresses, clock, connectTimeout, connections, tls, bindAddress, detectLoops, remoteId } = this.#options
    const address = addresses[this.#current % addresses.length]
    if (address === undefined) return
    this.#state = 'connecting'
    this.#abort = new AbortController()
    const { signal } = this.#abort
    const timer = clock.setTimeout(() => this.#abort.abort(), connectTimeout)
    const crossing = new Crossing({
      broker,
      options: this.#options,
      session: this.#session,
      dialect: this.#dialect,
      guard: detectLoops ? new LoopGuard(broker.id, remoteId) : undefined,
      counters: this.#counts,
      remoteName: `the broker at ${address.text}`,
      ended: error => this.#lost(error),
    })
    this.#crossing = crossing
    try {
      const streams = await openTransports(address, connections, { tls, bindAddress, signal })
      const giveUp = (): void => {
        for (const stream of streams) stream.destroy(new Error(`no CONNACK within ${connectTimeout} ms`))
      }
      signal.addEventListener('abort', giveUp)
      await crossing.open(streams)
      // From now on it ends with DISCONNECT.
      signal.removeEventListener('abort', giveUp)
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
    if (this.#current % addresses.length === 0) this.#first?.connected()
    else this.#first?.watch()
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
    this.#first?.rest()
    this.#delay.ended(this.#options.clock.monotonic() - this.#connectedAt)
    // Another broker on the store may have the bridge by now, and have told so.
    if (this.#broker?.tasks?.isShared === true && error.code === 'BRIDGE_LOCAL_SESSION') this.#wasHere = false
    else void this.#tellState('0')
    this.#over(error)
  }

  #firstAddress(): FirstAddress | undefined {
    const { addresses, returnToFirst, clock, tls, bindAddress } = this.#options
    const [address] = addresses
    if (!returnToFirst || address === undefined || addresses.length === 1) return undefined
    return new FirstAddress({ clock, address, transport: { tls, bindAddress }, reachable: () => this.#return() })
  }

  /** Leaves the address that works for the first one. */
  #return(): void {
    if (this.#state !== 'connected') return
    this.#crossing?.close()
    this.#crossing = undefined
    this.#current = 0
    void this.#tellState('0')
    this.#again(0)
    this.emit('disconnected', new BridgeError('BRIDGE_CONNECTION_LOST', 'the first address can be reached again'))
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

function noMessages(): BridgeTraffic {
  return { messages: 0, bytes: 0, droppedLoop: 0, droppedTooLarge: 0, refused: 0 }
}

function asBridgeError(error: unknown): BridgeError {
  if (error instanceof BridgeError) return error
  const message = error instanceof Error ? error.message : String(error)
  return new BridgeError('BRIDGE_CONNECTION_LOST', message, { cause: error })
}
