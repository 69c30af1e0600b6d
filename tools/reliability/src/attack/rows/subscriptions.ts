import {
  acknowledgement,
  bytes,
  publish,
  subscribe,
  text,
  u16,
  unsubscribe,
  variableInteger,
} from '../../wire/bytes.ts'
import type { Version } from '../../wire/bytes.ts'
import { packetType } from '../../wire/frames.ts'
import type { Attacker } from '../attacker.ts'
import type { Peer } from '../peer.ts'
import { megabyte } from '../row.ts'
import type { Row } from '../row.ts'

/** As large as `maximumPacketSize` lets it be. */
const largest = 16 * megabyte - 16

type Verb = 'SUBSCRIBE' | 'UNSUBSCRIBE'

/** One packet of 16 MB with this entry again and again. */
function giant(verb: Verb, version: Version, filter: string): Buffer {
  const entry = bytes(text(filter), ...(verb === 'SUBSCRIBE' ? [1] : []))
  const entries = Buffer.alloc(largest - (largest % entry.length), entry)
  return framed(verb, version, entries)
}

function framed(verb: Verb, version: Version, entries: Buffer): Buffer {
  const head = bytes(u16(1), ...(version === 5 ? [0] : []))
  const first = verb === 'SUBSCRIBE' ? 0x82 : 0xa2
  return bytes(first, variableInteger(head.length + entries.length), head, entries)
}

/** Different filters of four letters or fewer, as many as fit. */
function distinct(verb: Verb): Buffer {
  const entries: Buffer[] = []
  for (let size = 0, index = 0; size < largest - 8; index++) {
    const entry = bytes(text(index.toString(36)), ...(verb === 'SUBSCRIBE' ? [1] : []))
    entries.push(entry)
    size += entry.length
  }
  return framed(verb, 4, Buffer.concat(entries))
}

function giantRow(verb: Verb, version: Version, { filter, what }: { filter: string; what: string }): Row {
  return {
    name: `${verb.toLowerCase()}-${what}-${version}`,
    input: `${verb} of 16 MB, ${what} filter${version === 5 ? ', MQTT 5.0' : ''}`,
    async attack(attacker) {
      const peer = await attacker.client({ version, clientId: 'giant' })
      await peer.write(giant(verb, version, filter))
      await attacker.settled(peer)
    },
  }
}

/** Filters in packets of 50, which every limit lets through; ends when the broker refuses them. */
async function subscribeAll(attacker: Attacker, peer: Peer, filters: Iterable<string>): Promise<void> {
  let batch: string[] = []
  let sent = 0
  for (const filter of filters) {
    batch.push(filter)
    if (batch.length < 50) continue
    await peer.write(subscribe({ version: 4, id: 1 + (sent++ % 65_000), filters: batch }))
    batch = []
    if (peer.closed || attacker.isOver) return
    if (sent % 100 === 0) await attacker.settled(peer)
  }
  if (batch.length > 0) await peer.write(subscribe({ version: 4, id: 65_001, filters: batch }))
  await attacker.settled(peer)
}

function* numbered(count: number, name: (index: number) => string): Generator<string> {
  for (let index = 0; index < count; index++) yield name(index)
}

const subscriptionMemory = { option: 'maximumSubscriptionBytesPerClient', bytes: 32 * megabyte } as const

const resumedMemory = {
  option: subscriptionMemory.option,
  bytes: 4 * subscriptionMemory.bytes,
  reason:
    'counted four times: in the store, in the broker for the connection that ends and for the one that comes, and as garbage of those before',
} as const

/** A session with as many subscriptions as the broker lets one client have, 500 000 at most; then what happens with it. */
function bigSessionRow(
  { what, input, memory }: { what: string; input: string; memory: NonNullable<Row['memory']> },
  then: (attacker: Attacker) => Promise<void>,
): Row {
  return {
    name: `big-session-${what}`,
    input: `session with all the subscriptions it may have (up to 500 000): ${input}`,
    async attack(attacker) {
      const peer = await attacker.client({ version: 4, clientId: 'big', cleanStart: false })
      await subscribeAll(
        attacker,
        peer,
        numbered(500_000, index => `b/${index}`),
      )
      await then(attacker)
    },
    memory,
  }
}

/** Every filter of 14 levels that are each `+` or `x`. */
function* wildcards(levels: number): Generator<string> {
  for (let mask = 0; mask < 2 ** levels; mask++) {
    yield Array.from({ length: levels }, (_, level) => ((mask >> level) & 1 ? '+' : 'x')).join('/')
  }
}

/** Each topic matches half of the filters. */
function plusFiltersRow(name: string, qos: 0 | 1): Row {
  return {
    name,
    input: `2^14 filters of \`{+,x}\` on 14 levels, 200 PUBLISHes${qos === 1 ? ' of QoS 1' : ''} to different topics (7 KB)`,
    async attack(attacker) {
      // At QoS 1 the store has the filters as well.
      const peer = await attacker.client({ version: 4, clientId: 'plus', cleanStart: qos === 0 })
      await subscribeAll(attacker, peer, wildcards(14))
      for (let index = 0; index < 200; index++) {
        await peer.write(publish({ version: 4, topic: `${'x/'.repeat(13)}${index}`, qos, id: index + 1 }))
      }
      await attacker.settled(peer)
    },
  }
}

export const subscriptionRows: readonly Row[] = [
  giantRow('SUBSCRIBE', 4, { filter: 'a', what: 'repeated' }),
  giantRow('SUBSCRIBE', 5, { filter: 'a', what: 'repeated' }),
  giantRow('SUBSCRIBE', 5, { filter: 'a#', what: 'invalid' }),
  giantRow('UNSUBSCRIBE', 4, { filter: 'a', what: 'repeated' }),
  giantRow('UNSUBSCRIBE', 5, { filter: 'a#', what: 'invalid' }),
  {
    name: 'subscribe-distinct-4',
    input: 'SUBSCRIBE of 16 MB, distinct short filters',
    async attack(attacker) {
      const peer = await attacker.client({ version: 4, clientId: 'giant' })
      await peer.write(distinct('SUBSCRIBE'))
      await attacker.settled(peer)
    },
  },
  {
    name: 'unsubscribe-distinct-4',
    input: 'UNSUBSCRIBE of 16 MB, distinct short filters',
    async attack(attacker) {
      const peer = await attacker.client({ version: 4, clientId: 'giant' })
      await peer.write(distinct('UNSUBSCRIBE'))
      await attacker.settled(peer)
    },
  },
  {
    name: 'subscribe-tls',
    input: 'SUBSCRIBE of 16 MB over TLS, repeated filter',
    async attack(attacker) {
      const peer = await attacker.client({ version: 4, clientId: 'giant' }, 'tls')
      await peer.write(giant('SUBSCRIBE', 4, 'a'))
      await attacker.settled(peer)
    },
  },
  {
    name: 'subscribe-websocket',
    input: 'SUBSCRIBE of 16 MB in one WebSocket message, repeated filter',
    async attack(attacker) {
      const peer = await attacker.client({ version: 4, clientId: 'giant' }, 'websocket')
      await peer.write(giant('SUBSCRIBE', 4, 'a'))
      await attacker.settled(peer)
    },
  },
  {
    name: 'deep-filters',
    input: '20 000 filters of 100 levels (4 MB) by one client with a stored session',
    async attack(attacker) {
      const peer = await attacker.client({ version: 4, clientId: 'deep', cleanStart: false })
      const tail = '/d'.repeat(99)
      await subscribeAll(
        attacker,
        peer,
        numbered(20_000, index => `${index}${tail}`),
      )
    },
  },
  {
    name: 'deep-filters-20-clients',
    input: '20 clients with 20 000 filters of 100 levels each (80 MB)',
    async attack(attacker) {
      const peers = await attacker.clients(20, index => ({ version: 4, clientId: `deep${index}` }))
      const tail = '/d'.repeat(99)
      await Promise.all(
        peers.map(async (peer, client) =>
          subscribeAll(
            attacker,
            peer,
            numbered(20_000, index => `${client}-${index}${tail}`),
          ),
        ),
      )
    },
    memory: { option: 'maximumSubscriptionBytes', bytes: 256 * megabyte },
  },
  {
    name: 'shared-groups-one-packet',
    input: '60 000 shared filters in one SUBSCRIBE (1.4 MB)',
    async attack(attacker) {
      const peer = await attacker.client({ version: 4, clientId: 'shared' })
      const filters = [...numbered(60_000, index => `$share/g${index}/topic`)]
      await peer.write(subscribe({ version: 4, id: 1, filters }))
      await attacker.settled(peer)
    },
  },
  {
    name: 'shared-groups-publish',
    input: '20 000 shared groups on one topic, then 10 PUBLISHes of QoS 1, acknowledged',
    async attack(attacker) {
      const peers = await attacker.clients(20, index => ({ version: 4, clientId: `shared${index}` }))
      for (const peer of peers) {
        peer.onFrame(({ type, body }) => {
          if (type !== packetType.publish) return
          const topicLength = body.readUInt16BE(0)
          void peer.write(acknowledgement(0x40, body.readUInt16BE(2 + topicLength)))
        })
      }
      await Promise.all(
        peers.map(async (peer, client) =>
          subscribeAll(
            attacker,
            peer,
            numbered(1000, index => `$share/g${client}-${index}/topic`),
          ),
        ),
      )
      const publisher = await attacker.client({ version: 4, clientId: 'publisher' })
      for (let id = 1; id <= 10; id++) await publisher.write(publish({ version: 4, topic: 'topic', qos: 1, id }))
      await attacker.settled(publisher, ...peers)
    },
  },
  bigSessionRow({ what: 'resumed', input: 'resumed 10 times', memory: resumedMemory }, async attacker => {
    for (let round = 0; round < 10 && !attacker.isOver; round++) {
      await attacker.settled(await attacker.client({ version: 4, clientId: 'big', cleanStart: false }))
    }
  }),
  bigSessionRow({ what: 'cleaned', input: 'clean start', memory: subscriptionMemory }, async attacker => {
    await attacker.settled(await attacker.client({ version: 4, clientId: 'big' }))
  }),
  plusFiltersRow('plus-filters', 0),
  plusFiltersRow('plus-filters-qos1', 1),
  {
    name: 'subscribe-flood',
    input: '16 MB of SUBSCRIBE and UNSUBSCRIBE packets of 10 filters each',
    async attack(attacker) {
      const peer = await attacker.client({ version: 4, clientId: 'flood' })
      const pairs = Array.from({ length: 1000 }, (_, round) => {
        const filters = [...numbered(10, index => `f/${round}/${index}`)]
        return bytes(subscribe({ version: 4, id: 1, filters }), unsubscribe({ version: 4, id: 2, filters }))
      })
      await attacker.flood(peer, Buffer.concat(pairs), 16 * megabyte)
    },
  },
  {
    name: 'leave-at-once',
    input: '500 clients with 1000 subscriptions each leave at once',
    async attack(attacker) {
      const peers = await attacker.clients(500, index => ({ version: 4, clientId: `leaver${index}` }))
      for (const [client, peer] of peers.entries()) {
        await subscribeAll(
          attacker,
          peer,
          numbered(1000, index => `l/${client}/${index}`),
        )
      }
      for (const peer of peers) peer.destroy()
    },
    memory: { option: 'maximumSubscriptionBytes', bytes: 256 * megabyte },
  },
]
