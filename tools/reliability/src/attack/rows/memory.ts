import { bytes, property, publish, subscribe, text, variableInteger } from '../../wire/bytes.ts'
import { packetType } from '../../wire/frames.ts'
import type { Attacker } from '../attacker.ts'
import type { Peer } from '../peer.ts'
import { megabyte } from '../row.ts'
import type { Row } from '../row.ts'
import { userPropertyRows } from './user-properties.ts'

/** PUBLISHes that begin and never end. */
function unfinishedPublishRow(name: string, transport: 'tcp' | 'tls'): Row {
  return {
    name,
    input: `30 unfinished PUBLISHes of 15 MB, Keep Alive 0${transport === 'tls' ? ', over TLS' : ''}`,
    async attack(attacker) {
      const peers = await Promise.all(
        Array.from({ length: 30 }, async (_, index) =>
          attacker.client({ version: 4, clientId: `unfinished${index}` }, transport),
        ),
      )
      const head = bytes(0x30, variableInteger(15 * megabyte + 3), text('t'))
      await Promise.all(
        peers.map(async peer => {
          await peer.write(head)
          for (let sent = 0; sent < 15 && !peer.closed; sent++) {
            await Promise.race([peer.write(Buffer.alloc(megabyte - 1)), attacker.pause(3000)])
          }
        }),
      )
      await attacker.pause(2000)
    },
    memory: { option: 'maximumUnfinishedBytes', bytes: 64 * megabyte },
  }
}

/** WebSocket messages that begin and never end. */
function unfinishedWebSocketRow(
  name: string,
  whose: string,
  open: (attacker: Attacker, index: number) => Promise<Peer>,
): Row {
  return {
    name,
    input: `30 unfinished WebSocket messages of 15 MB ${whose}`,
    async attack(attacker) {
      const peers = await Promise.all(Array.from({ length: 30 }, async (_, index) => open(attacker, index)))
      // A binary frame that is not final, 15 MB long, with a mask of zeros.
      const head = Buffer.of(0x02, 0xff, 0, 0, 0, 0, 0x00, 0xf0, 0, 0, 0, 0, 0, 0)
      await Promise.all(
        peers.map(async peer => {
          await peer.writeRaw(head)
          for (let sent = 0; sent < 15 && !peer.closed; sent++) {
            await Promise.race([peer.writeRaw(Buffer.alloc(megabyte - 1)), attacker.pause(3000)])
          }
        }),
      )
      await attacker.pause(2000)
    },
    memory: { option: 'maximumUnfinishedBytes', bytes: 64 * megabyte },
  }
}

export const memoryRows: readonly Row[] = [
  {
    name: 'alias-topics',
    input: '15 connections with 1024 aliases of 65 KB topics (1 GB)',
    async attack(attacker) {
      const peers = await attacker.clients(15, index => ({ version: 5, clientId: `alias${index}` }))
      await Promise.all(
        peers.map(async (peer, client) => {
          for (let alias = 1; alias <= 1024 && !peer.closed && !attacker.isOver; alias++) {
            const topic = `${client}-${alias}-`.padEnd(65_000, 'x')
            await peer.write(publish({ version: 5, topic, properties: property.topicAlias(alias) }))
          }
          await attacker.settled(peer)
        }),
      )
    },
  },
  {
    name: 'alias-topics-outgoing',
    input: '15 subscribers with 64 outgoing aliases, 65 KB topics published to them',
    async attack(attacker) {
      const peers = await attacker.clients(15, index => ({
        version: 5,
        clientId: `alias${index}`,
        properties: bytes(0x22, 0xff, 0xff),
      }))
      for (const peer of peers) await peer.write(subscribe({ version: 5, id: 1, filters: ['#'], options: 0 }))
      await attacker.settled(...peers)
      const publisher = await attacker.client({ version: 5, clientId: 'publisher' })
      for (let index = 0; index < 300 && !publisher.closed && !attacker.isOver; index++) {
        await publisher.write(publish({ version: 5, topic: `${index}-`.padEnd(65_000, 'x') }))
      }
      await attacker.settled(publisher, ...peers)
    },
  },
  unfinishedPublishRow('unfinished-publishes', 'tcp'),
  unfinishedPublishRow('unfinished-publishes-tls', 'tls'),
  unfinishedWebSocketRow('unfinished-websocket', 'before CONNECT', async attacker => attacker.open('websocket')),
  unfinishedWebSocketRow('unfinished-websocket-connected', 'of connected clients', async (attacker, index) =>
    attacker.client({ version: 4, clientId: `unfinished${index}` }, 'websocket'),
  ),
  ...userPropertyRows,
  {
    name: 'subscription-identifiers',
    input: '5000 overlapping filters with identifiers, 200 PUBLISHes that match all',
    async attack(attacker) {
      const peer = await attacker.client({ version: 5, clientId: 'overlapping' })
      for (let id = 1; id <= 5000; id++) {
        const filter = Array.from({ length: 13 }, (_, level) => ((id >> level) & 1 ? '+' : 'x')).join('/')
        const properties = property.subscriptionIdentifier(id)
        await peer.write(subscribe({ version: 5, id, filters: [filter], options: 0, properties }))
      }
      await attacker.settled(peer)
      const publisher = await attacker.client({ version: 5, clientId: 'publisher' })
      const message = publish({ version: 5, topic: `${'x/'.repeat(12)}x` })
      for (let index = 0; index < 200; index++) await publisher.write(message)
      await attacker.settled(publisher, peer)
    },
  },
  {
    name: 'slow-readers',
    input: '50 subscribers that read nothing, 200 MB published to all of them',
    async attack(attacker) {
      const peers = await attacker.clients(50, index => ({ version: 4, clientId: `frozen${index}` }))
      for (const peer of peers) await peer.write(subscribe({ version: 4, id: 1, filters: ['s'], options: 0 }))
      await attacker.settled(...peers)
      for (const peer of peers) peer.freeze()
      const publisher = await attacker.client({ version: 4, clientId: 'publisher' })
      await attacker.flood(
        publisher,
        publish({ version: 4, topic: 's', payload: Buffer.alloc(20_000) }),
        200 * megabyte,
      )
    },
    // For each of them.
    memory: { option: 'outboxHighWaterMark', bytes: 50 * 524_288 },
  },
  {
    name: 'frozen-one-by-one',
    input: '20 receivers that freeze one after another; the publisher goes on to a healthy one',
    async attack(attacker) {
      const healthy = await attacker.client({ version: 4, clientId: 'healthy' })
      const frozen = await attacker.clients(20, index => ({ version: 4, clientId: `frozen${index}` }))
      for (const peer of [healthy, ...frozen]) {
        await peer.write(subscribe({ version: 4, id: 1, filters: ['s'], options: 0 }))
      }
      await attacker.settled(healthy, ...frozen)
      const publisher = await attacker.client({ version: 4, clientId: 'publisher' })
      const message = publish({ version: 4, topic: 's', payload: Buffer.alloc(20_000) })
      const delays: number[] = []
      for (const [index, peer] of frozen.entries()) {
        peer.freeze()
        for (let round = 0; round < 300 && !attacker.isOver; round++) {
          const began = performance.now()
          await publisher.write(message)
          const sent = index * 300 + round + 1
          await Promise.race([healthy.until(() => healthy.count(packetType.publish) >= sent), attacker.pause(5000)])
          delays.push(performance.now() - began)
        }
      }
      attacker.report(delays.filter(delay => delay > 50).reduce((sum, delay) => sum + delay, 0))
    },
    also: { name: 'the healthy receiver waited in total', unit: 'ms', most: 3000, seenBy: 'attacker' },
  },
]
