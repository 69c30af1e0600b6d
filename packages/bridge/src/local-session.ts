import type { PluggableBroker } from '@x/contract'
import type { CheckedOptions } from './bridge-options.ts'
import { Link } from './link.ts'

/** Ends the session of a bridge at its own broker, with what waits in it.
 * @throws BridgeError `BRIDGE_REFUSED`, `BRIDGE_CONNECTION_LOST` */
export async function endLocalSession(broker: PluggableBroker, options: CheckedOptions): Promise<void> {
  const { name, localClientId: clientId, clock } = options
  const link = new Link(broker.openLocalStream(`bridge ${name}`), {
    name: 'this broker',
    version: 5,
    clock,
    keepAlive: 0,
    topicAliasMaximum: 0,
    ended: () => undefined,
  })
  // One that begins clean and does not expire takes the place of the old one, and ends with its connection.
  await link.connect({ cmd: 'connect', protocolId: 'MQTT', protocolVersion: 5, clientId, clean: true, keepalive: 0 })
  link.disconnect()
}
