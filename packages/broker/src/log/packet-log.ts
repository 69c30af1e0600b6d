import type { Broker } from '@x/broker-core'
import type { Logger } from '@x/contract'
import { logPackets } from './log-packets.ts'

/** Logs packets while the logger's level is debug, and costs nothing otherwise. */
export class PacketLog {
  readonly #broker: Broker
  readonly #logger: Logger
  /** Undefined: they are not logged. */
  #end: (() => void) | undefined

  constructor(broker: Broker, logger: Logger) {
    this.#broker = broker
    this.#logger = logger
    this.levelChanged()
  }

  /** Looks at the level of the logger again. */
  levelChanged(): void {
    if (this.#logger.isLevelEnabled?.('debug') === true) this.#end ??= logPackets(this.#broker, this.#logger)
    else {
      this.#end?.()
      this.#end = undefined
    }
  }
}
