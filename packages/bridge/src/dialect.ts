import type { QoS } from '@x/packet'
import type { BridgeError } from './bridge-error.ts'
import type { CheckedOptions } from './bridge-options.ts'

/** How the other broker is spoken to: what was wished for, less what it has refused. */
export interface Dialect {
  readonly version: 3 | 4 | 5
  readonly bridgeBit: boolean
  readonly retain: boolean
  readonly maximumQos: QoS
}

/** Reason codes, of MQTT 5.0 unless said otherwise. */
const unacceptableVersion311 = 1
const unsupportedVersion = 0x84
const retainNotSupported = 0x9a
const qosNotSupported = 0x9b

/** As the options wish it. */
export function firstDialect({ protocolVersion: version, tryPrivate, outgoingRetain }: CheckedOptions): Dialect {
  return { version, bridgeBit: tryPrivate && version !== 5, retain: outgoingRetain, maximumQos: 2 }
}

/** What to try next after a refusal, at once; undefined: the refusal is not about how the broker was spoken to. */
export function simplerDialect(
  dialect: Dialect,
  { code, reasonCode }: BridgeError,
  { tryPrivate }: { readonly tryPrivate: boolean },
): Dialect | undefined {
  if (code !== 'BRIDGE_REFUSED') return undefined
  const { version, bridgeBit, retain, maximumQos } = dialect
  switch (reasonCode) {
    case unacceptableVersion311:
    case unsupportedVersion:
      if (bridgeBit) return { ...dialect, bridgeBit: false }
      return version === 5 ? { ...dialect, version: 4, bridgeBit: tryPrivate } : undefined
    case retainNotSupported:
      return retain ? { ...dialect, retain: false } : undefined
    case qosNotSupported:
      return maximumQos === 0 ? undefined : { ...dialect, maximumQos: maximumQos === 2 ? 1 : 0 }
    default:
      return undefined
  }
}
