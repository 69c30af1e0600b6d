import type { PluggableBroker } from '@x/contract'
import type { CheckedOptions } from './bridge-options.ts'
import { localConnect } from './connect-packets.ts'
import { Link } from './link.ts'

/** The session of a bridge at its own broker. It keeps messages from the beginning, also while the other broker has never been reached. */
export class LocalSession {
  #isPrepared = false
  #isNew = false

  /** Makes the session, the first time, unless it ends with its connection. One that is there keeps messages already: to open it would
   * have it send them.
   * @throws BridgeError `BRIDGE_REFUSED`, `BRIDGE_CONNECTION_LOST`
   * @throws what the store fails with */
  async prepare(broker: PluggableBroker, options: CheckedOptions): Promise<void> {
    if (this.#isPrepared || options.localClean) return
    const sessions = broker.inspection?.sessions
    if (sessions !== undefined && (await sessions.find(options.localClientId)) === undefined) {
      await makeLocalSession(broker, options)
      this.#isNew = true
    }
    this.#isPrepared = true
  }

  /** Whether nothing has left it before, so that its Packet Identifiers begin anew; the next time it is not so any more.
   * @param sessionPresent - what its last CONNACK said */
  begins(sessionPresent: boolean): boolean {
    const isNew = this.#isNew || !sessionPresent
    this.#isNew = false
    return isNew
  }
}

async function makeLocalSession(broker: PluggableBroker, options: CheckedOptions): Promise<void> {
  const link = localLink(broker, options)
  await link.connect(localConnect(options, 1))
  // What comes already stays in the session, unacknowledged.
  link.start({ publish: ignored, ack: ignored })
  for (const { filter, qos } of options.topics.localSubscriptions) {
    // Retained messages come when the other broker is there to take them.
    await link.subscribe([{ topic: filter, qos, nl: true, rap: true, rh: 2 }])
  }
  link.disconnect()
}

/** Ends the session of a bridge at its own broker, with what waits in it.
 * @throws BridgeError `BRIDGE_REFUSED`, `BRIDGE_CONNECTION_LOST` */
export async function endLocalSession(broker: PluggableBroker, options: CheckedOptions): Promise<void> {
  const { localClientId: clientId } = options
  const link = localLink(broker, options)
  // One that begins clean and does not expire takes the place of the old one, and ends with its connection.
  await link.connect({ cmd: 'connect', protocolId: 'MQTT', protocolVersion: 5, clientId, clean: true, keepalive: 0 })
  link.disconnect()
}

function ignored(): void {
  // The session keeps it.
}

function localLink(broker: PluggableBroker, { name, clock }: CheckedOptions): Link {
  return new Link(broker.openLocalStream(`bridge ${name}`), {
    name: 'this broker',
    version: 5,
    clock,
    keepAlive: 0,
    topicAliasMaximum: 0,
    ended: () => undefined,
  })
}
