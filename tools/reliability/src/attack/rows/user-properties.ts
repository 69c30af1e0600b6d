import { bytes, packet, propertySet, publish, subscribe, u16, unsubscribe } from '../../wire/bytes.ts'
import { megabyte } from '../row.ts'
import type { Row } from '../row.ts'

/** The least that one takes. */
const shortest = bytes(0x26, 0, 0, 0, 0)
/** As many as the broker lets a packet have. */
const allowed = 1000

function properties(count: number): Buffer {
  return Buffer.alloc(count * shortest.length, shortest)
}

const makers: Readonly<Record<string, (list: Buffer) => Buffer>> = {
  PUBLISH: list => publish({ version: 5, topic: 't', properties: list }),
  PUBREL: list => packet(0x62, u16(1), Buffer.of(0), propertySet(5, list)),
  SUBSCRIBE: list => subscribe({ version: 5, id: 1, filters: ['a'], properties: list }),
  UNSUBSCRIBE: list => unsubscribe({ version: 5, id: 1, filters: ['a'], properties: list }),
  DISCONNECT: list => packet(0xe0, Buffer.of(0), propertySet(5, list)),
}

/** More than the limit. */
function refusedRow([command, make]: [string, (list: Buffer) => Buffer]): Row {
  return {
    name: command === 'PUBLISH' ? 'user-properties' : `user-properties-${command.toLowerCase()}`,
    input: `${command} of 16 MB of empty user properties (3.3 million)`,
    async attack(attacker) {
      const peer = await attacker.client({ version: 5, clientId: 'properties' })
      await peer.write(make(properties(3_300_000)))
      await attacker.settled(peer)
    },
  }
}

/** As many as the limit lets through, again and again. */
function allowedRow([command, make]: [string, (list: Buffer) => Buffer]): Row {
  return {
    name: `user-properties-allowed-${command.toLowerCase()}`,
    input: `16 MB of ${command} with 1000 empty user properties each, one subscriber`,
    async attack(attacker) {
      const subscriber = await attacker.client({ version: 5, clientId: 'subscriber' })
      await subscriber.write(subscribe({ version: 5, id: 1, filters: ['#'], options: 0 }))
      await attacker.settled(subscriber)
      const peer = await attacker.client({ version: 5, clientId: 'properties' })
      await attacker.flood(peer, make(properties(allowed)), 16 * megabyte)
      await attacker.settled(subscriber)
    },
  }
}

const kinds = Object.entries(makers)

/** MQTT 5.0 §2.2.2.2: user properties may stand in every packet, any number of times. */
export const userPropertyRows: readonly Row[] = [
  ...kinds.map(refusedRow),
  ...kinds.filter(([command]) => command !== 'DISCONNECT').map(allowedRow),
]
