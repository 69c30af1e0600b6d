import type { Broker } from '@x/broker'
import { property, publish, subscribe } from '../../wire/bytes.ts'
import { megabyte } from '../row.ts'
import type { Row } from '../row.ts'

async function retain(broker: Broker, count: number): Promise<void> {
  for (let index = 0; index < count; index++) {
    const topic = `r/${index % 1000}/${Math.floor(index / 1000)}`
    await broker.publish({ topic, payload: 'x', qos: 0, retain: true })
  }
}

function retainedRow(name: string, filter: string): Row {
  return {
    name: `retained-${name}`,
    input: `300 000 retained messages, \`${filter}\` 50 times in one SUBSCRIBE`,
    prepare: async broker => retain(broker, 300_000),
    async attack(attacker) {
      const peer = await attacker.client({ version: 4, clientId: 'reader' })
      await peer.write(subscribe({ version: 4, id: 1, filters: Array.from({ length: 50 }, () => filter), options: 0 }))
      await attacker.settled(peer)
    },
  }
}

export const retainedRows: readonly Row[] = [
  retainedRow('nothing', '+/+/nope'),
  retainedRow('everything', '#'),
  {
    name: 'retained-flood',
    input: '300 000 retained messages, 1000 SUBSCRIBEs of `#` by 10 clients',
    prepare: async broker => retain(broker, 300_000),
    async attack(attacker) {
      const peers = await attacker.clients(10, index => ({ version: 4, clientId: `reader${index}` }))
      await Promise.all(
        peers.map(async peer => {
          for (let id = 1; id <= 100; id++) {
            await peer.write(subscribe({ version: 4, id, filters: ['#'], options: 0 }))
          }
          await attacker.settled(peer)
        }),
      )
    },
  },
  {
    name: 'retained-pins',
    input: '40 000 retained messages of one byte between larger ones that are not kept (7 KB each)',
    async attack(attacker) {
      const peer = await attacker.client({ version: 4, clientId: 'pins' })
      const other = publish({ version: 4, topic: 'other', payload: Buffer.alloc(7000) })
      for (let index = 0; index < 40_000 && !peer.closed && !attacker.isOver; index++) {
        await peer.write(publish({ version: 4, topic: `p/${index}`, payload: Buffer.alloc(1), retain: true }))
        await peer.write(other)
      }
      await attacker.settled(peer)
    },
    memory: { option: 'maximumRetainedBytesPerClient', bytes: 256 * megabyte },
  },
  {
    name: 'retained-expiring',
    input: 'ever new retained topics that expire after 1 s, for 10 s; then 3 s of rest',
    async attack(attacker) {
      const peer = await attacker.client({ version: 5, clientId: 'expiring' })
      const properties = property.messageExpiryInterval(1)
      const ends = performance.now() + 10_000
      for (let round = 0; performance.now() < ends && !peer.closed; round++) {
        const burst = Array.from({ length: 500 }, (_, index) =>
          publish({ version: 5, topic: `e/${round}/${index}`, payload: Buffer.alloc(200), retain: true, properties }),
        )
        await peer.write(Buffer.concat(burst))
        await attacker.settled(peer)
      }
      await attacker.pause(3000)
    },
    memory: { option: 'maximumRetainedBytesPerClient', bytes: 256 * megabyte },
    also: { name: 'kept 2 s after they expired', unit: 'messages', most: 1000, seenBy: 'counts' },
  },
]
