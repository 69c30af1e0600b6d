import { acknowledgement, bytes, pingreq, publish, text } from '../../wire/bytes.ts'
import type { Version } from '../../wire/bytes.ts'
import { clientFrame, opcode } from '../../wire/websocket.ts'
import type { Transport } from '../peer.ts'
import { megabyte } from '../row.ts'
import type { Row } from '../row.ts'

/** Many copies in one write. */
function many(packet: Buffer): Buffer {
  return Buffer.alloc(packet.length * Math.ceil(megabyte / packet.length), packet)
}

interface Flood {
  readonly name: string
  readonly input: string
  readonly packet: Buffer
  readonly megabytes: number
  readonly version?: Version
  readonly transport?: Transport
}

function floodRow({ name, input, packet, megabytes, version = 4, transport = 'tcp' }: Flood): Row {
  return {
    name: `flood-${name}`,
    input: `${megabytes} MB of ${input}`,
    async attack(attacker) {
      const peer = await attacker.client({ version, clientId: 'flood' }, transport)
      await attacker.flood(peer, many(packet), megabytes * megabyte)
    },
  }
}

const short = publish({ version: 4, topic: 'f' })
const confirmed = publish({ version: 4, topic: 'f', qos: 1, id: 1 })

export const floodRows: readonly Row[] = [
  floodRow({ name: 'ping', input: 'PINGREQ', packet: pingreq, megabytes: 32 }),
  floodRow({ name: 'publish-0', input: 'PUBLISH of 5 bytes, QoS 0', packet: short, megabytes: 64 }),
  floodRow({ name: 'publish-1', input: 'PUBLISH of 7 bytes, QoS 1', packet: confirmed, megabytes: 32 }),
  floodRow({
    name: 'publish-websocket',
    input: 'PUBLISH of 5 bytes by WebSocket, many in a message',
    packet: short,
    megabytes: 32,
    transport: 'websocket',
  }),
  floodRow({
    name: 'publish-tls',
    input: 'PUBLISH of 5 bytes over TLS',
    packet: short,
    megabytes: 32,
    transport: 'tls',
  }),
  floodRow({
    name: 'long-topics',
    input: 'PUBLISH to 5000 topics of 1000 characters of two bytes in memory, by turns',
    packet: Buffer.concat(
      Array.from({ length: 5000 }, (_, index) => publish({ version: 4, topic: `${index}${'\u0436'.repeat(995)}` })),
    ),
    megabytes: 64,
  }),
  floodRow({
    name: 'retained',
    input: 'retained PUBLISH to one topic',
    packet: publish({ version: 4, topic: 'f', payload: Buffer.of(1), retain: true }),
    megabytes: 32,
  }),
  floodRow({ name: 'pubrel', input: 'PUBREL of an unknown id', packet: acknowledgement(0x62, 7), megabytes: 16 }),
  floodRow({ name: 'puback', input: 'PUBACK of an unknown id', packet: acknowledgement(0x40, 7), megabytes: 16 }),
  floodRow({
    name: 'slashes',
    input: 'PUBLISH to a topic of 99 levels, each time the last one differs',
    packet: Buffer.concat(
      Array.from({ length: 5000 }, (_, index) => publish({ version: 4, topic: `${'/'.repeat(98)}${index}` })),
    ),
    megabytes: 32,
  }),
  {
    name: 'flood-new-topics',
    input: '2 million PUBLISHes to ever new topics',
    async attack(attacker) {
      const peer = await attacker.client({ version: 4, clientId: 'flood' })
      for (let index = 0; index < 2_000_000 && !peer.closed && !attacker.isOver; index += 1000) {
        const burst = Array.from({ length: 1000 }, (_, more) => bytes(0x30, 12, text(String(1e9 + index + more))))
        await peer.write(Buffer.concat(burst))
      }
      await attacker.settled(peer)
    },
  },
  {
    name: 'flood-websocket-pings',
    input: '16 MB of empty WebSocket pings',
    async attack(attacker) {
      const peer = await attacker.client({ version: 4, clientId: 'flood' }, 'websocket')
      const chunk = many(clientFrame(Buffer.alloc(0), opcode.final | opcode.ping))
      for (let sent = 0; sent < 16 && !peer.closed && !attacker.isOver; sent++) await peer.writeRaw(chunk)
      await attacker.settled(peer)
    },
  },
  {
    name: 'flood-websocket-empty',
    input: '16 MB of empty WebSocket messages',
    async attack(attacker) {
      const peer = await attacker.client({ version: 4, clientId: 'flood' }, 'websocket')
      const chunk = many(clientFrame(Buffer.alloc(0)))
      for (let sent = 0; sent < 16 && !peer.closed && !attacker.isOver; sent++) await peer.writeRaw(chunk)
      await attacker.settled(peer)
    },
  },
  {
    name: 'flood-100-clients',
    input: '100 clients, 1 MB of PUBLISH of 5 bytes each',
    async attack(attacker) {
      const peers = await attacker.clients(100, index => ({ version: 4, clientId: `flood${index}` }))
      await Promise.all(peers.map(async peer => attacker.flood(peer, many(short), megabyte)))
    },
  },
  {
    name: 'byte-by-byte',
    input: '50 clients that send each byte by itself',
    async attack(attacker) {
      const peers = await attacker.clients(50, index => ({ version: 4, clientId: `slow${index}` }))
      await Promise.all(
        peers.map(async peer => {
          for (let index = 0; index < 20_000 && !peer.closed && !attacker.isOver; index++) {
            await peer.write(short.subarray(index % short.length, (index % short.length) + 1))
            if (index % 100 === 0) await attacker.pause(0)
          }
          await attacker.settled(peer)
        }),
      )
    },
  },
]
