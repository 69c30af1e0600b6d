import { setTimeout as wait } from 'node:timers/promises'
import { bridge } from '@x/bridge'
import type { BridgeOptions } from '@x/bridge'
import type { PluggableBroker, Plugin } from '@x/contract'
import { localSession } from '../config/bridges.ts'

/** ms that a broker which has stopped answering may hold up what comes next. */
const longestFarewell = 2000

interface RunningBridge {
  readonly shape: string
  /** Its session at this broker. */
  readonly session: string
  readonly detach: () => Promise<void>
  /** Ends its session, too. */
  readonly forget: () => Promise<void>
}

/** The bridges of a broker's configuration, as a plugin which can be given others while the broker runs. */
export class RunningBridges implements Plugin {
  readonly name = 'bridges'
  /** By name. */
  readonly #running = new Map<string, RunningBridge>()
  #wanted: readonly BridgeOptions[]
  #broker: PluggableBroker | undefined
  #isBegun = false

  constructor(options: readonly BridgeOptions[]) {
    this.#wanted = options
  }

  /** Connects them, now or when there is a broker. Before that they are only known: of several workers, one at a time has them. */
  async begin(): Promise<void> {
    this.#isBegun = true
    await this.replace(this.#wanted)
  }

  async attach(broker: PluggableBroker): Promise<() => Promise<void>> {
    this.#broker = broker
    await this.replace(this.#wanted)
    return () => this.#detachAll()
  }

  /** Ends bridges that are gone or have changed, and connects those that are new or have changed. The others go on undisturbed. The session of
   * one that is gone ends as well: it would take messages for ever. */
  async replace(next: readonly BridgeOptions[]): Promise<void> {
    this.#wanted = next
    if (this.#broker === undefined || !this.#isBegun) return
    const shapes = new Map(next.map(options => [options.name, shapeOf(options)]))
    const over = [...this.#running].filter(([name, { shape }]) => shapes.get(name) !== shape)
    const sessions = new Set(next.map(localSession))
    await Promise.all(
      over.map(async ([name, running]) => {
        if (!sessions.has(running.session)) await inTime(running.forget())
        await this.#detach(name, running)
      }),
    )
    for (const options of next) if (!this.#running.has(options.name)) await this.#attach(options)
  }

  async #attach(options: BridgeOptions): Promise<void> {
    const broker = this.#broker
    if (broker === undefined) return
    const made = bridge(options)
    const detach = await made.attach(broker)
    const running: RunningBridge = {
      shape: shapeOf(options),
      session: localSession(options),
      forget: () => made.forget().catch((error: unknown) => broker.reportError(error as Error)),
      detach: async () => {
        await detach?.()
      },
    }
    this.#running.set(options.name, running)
    // The broker may have been closed meanwhile.
    if (this.#broker !== broker) await this.#detach(options.name, running)
  }

  async #detach(name: string, { detach }: RunningBridge): Promise<void> {
    this.#running.delete(name)
    await inTime(detach())
  }

  async #detachAll(): Promise<void> {
    this.#broker = undefined
    await Promise.all([...this.#running].map(([name, running]) => this.#detach(name, running)))
  }
}

async function inTime(farewell: Promise<void>): Promise<void> {
  await Promise.race([farewell, wait(longestFarewell, undefined, { ref: false })])
}

/** Certificates by their contents, so that new ones are taken. A function says no more than the values beside it do, except for the
 * pre-shared key. */
function shapeOf(options: BridgeOptions): string {
  return JSON.stringify([options, typeof options.tls?.checkServerIdentity, options.tls?.pskCallback?.(null)])
}
