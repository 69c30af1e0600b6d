import type { MaybePromise, PluggableBroker, Plugin } from '@x/contract'
import { programFault } from '../hooks/program-faults.ts'
import type { ProgramFaults } from '../hooks/program-faults.ts'

/** The plugins of a broker: attached when it opens, detached when it closes. */
export class AttachedPlugins {
  readonly #plugins: readonly Plugin[]
  readonly #faults: ProgramFaults
  readonly #attached: { readonly name: string; readonly detach: () => MaybePromise<void> }[] = []

  constructor(plugins: readonly Plugin[], faults: ProgramFaults) {
    this.#plugins = plugins
    this.#faults = faults
  }

  /** Attaches the plugins one after the other.
   * @throws BrokerError `PLUGIN_FAILED` */
  async attach(broker: PluggableBroker): Promise<void> {
    for (const plugin of this.#plugins) {
      try {
        const detach = await plugin.attach(broker)
        if (detach !== undefined) this.#attached.push({ name: plugin.name, detach })
      } catch (error) {
        throw programFault('PLUGIN_FAILED', `plugin ${plugin.name}`, error)
      }
    }
  }

  /** Detaches the plugins. One that fails, or takes longer than `inTime` permits, becomes an `error` and stops nothing. */
  async detach(inTime: (step: Promise<void>) => Promise<void>): Promise<void> {
    for (const { name, detach } of this.#attached) {
      await inTime(Promise.resolve().then(detach)).catch((error: unknown) =>
        this.#faults.add('PLUGIN_FAILED', `plugin ${name}`, error),
      )
    }
  }
}
