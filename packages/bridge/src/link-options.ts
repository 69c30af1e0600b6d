import type { Clock } from '@x/contract'
import type { ProtocolVersion } from '@x/packet'
import type { BridgeError } from './bridge-error.ts'

/** How a link speaks to its side. */
export interface LinkOptions {
  /** Which side this is, in errors: `the broker at mqtt://b:1883`, `this broker`. */
  readonly name: string
  readonly version: ProtocolVersion
  readonly clock: Clock
  /** Seconds of Keep Alive, 0 for none; the peer's own takes its place. */
  readonly keepAlive: number
  /** Aliases that the peer was told it may use. */
  readonly topicAliasMaximum: number
  /** Called once, when no packet can come or go any more. */
  readonly ended: (error: BridgeError) => void
}
