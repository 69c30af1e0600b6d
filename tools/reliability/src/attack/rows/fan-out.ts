import { acknowledgement, property, publish, subscribe } from '../../wire/bytes.ts'
import type { Version } from '../../wire/bytes.ts'
import { packetType } from '../../wire/frames.ts'
import type { Attacker } from '../attacker.ts'
import type { Peer } from '../peer.ts'
import type { Row } from '../row.ts'

interface FanOut {
  readonly receivers: number
  readonly qos: 0 | 1
  /** Of the receivers. */
  readonly version?: Version
  readonly cleanStart?: boolean
  /** Topic aliases that they take: each packet is then written for each of them. */
  readonly aliases?: number
  readonly messages?: number
  readonly payloadBytes?: number
  /** Retained messages are not sent on as they came in. */
  readonly retain?: boolean
}

/** Subscribers of one topic, who acknowledge what they get. */
async function audience(attacker: Attacker, wish: FanOut): Promise<readonly Peer[]> {
  const { receivers, qos, version = 4, cleanStart = true, aliases = 0 } = wish
  const properties = aliases === 0 ? Buffer.alloc(0) : property.topicAliasMaximum(aliases)
  const peers = await attacker.clients(receivers, index => ({
    version,
    clientId: `receiver${index}`,
    cleanStart,
    ...(version === 5 && { properties }),
  }))
  for (const peer of peers) {
    await peer.write(subscribe({ version, id: 1, filters: ['s'], options: qos }))
    peer.onFrame(({ type, body }) => {
      if (type === packetType.publish && qos > 0) void peer.write(acknowledgement(0x40, body.readUInt16BE(3)))
    })
  }
  await attacker.settled(...peers)
  return peers
}

function fanOutRow(name: string, input: string, wish: FanOut): Row {
  const { qos, messages = 100, payloadBytes = 100, retain = false } = wish
  return {
    name,
    input,
    gather: attacker => audience(attacker, wish),
    async attack(attacker, crowd) {
      const publisher = await attacker.client({ version: 4, clientId: 'publisher' })
      const packets = Array.from({ length: messages }, (_, index) =>
        publish({ version: 4, topic: 's', qos, id: index + 1, retain, payload: Buffer.alloc(payloadBytes) }),
      )
      await publisher.write(Buffer.concat(packets))
      await attacker.settled(publisher)
      await Promise.race([
        Promise.all(crowd.map(async peer => peer.until(() => peer.count(packetType.publish) >= messages))),
        attacker.pause(15_000),
      ])
    },
  }
}

/** One message, very many receivers. */
export const fanOutRows: readonly Row[] = [
  fanOutRow('fan-out-verbatim', '100 PUBLISHes to 8000 receivers', { receivers: 8000, qos: 0 }),
  fanOutRow('fan-out-retained', '100 retained PUBLISHes to 8000 receivers', { receivers: 8000, qos: 0, retain: true }),
  {
    ...fanOutRow('fan-out-large', '4 PUBLISHes of 100 KB to 2000 receivers', {
      receivers: 2000,
      qos: 0,
      retain: true,
      messages: 4,
      payloadBytes: 100_000,
    }),
    // All of it, when the receivers are slow.
    memory: { option: 'outboxHighWaterMark', bytes: 2000 * 4 * 100_000 },
  },
  fanOutRow('fan-out-aliases', '1000 PUBLISHes of 5 bytes to 1000 receivers that take topic aliases', {
    receivers: 1000,
    version: 5,
    aliases: 10,
    qos: 0,
    messages: 1000,
    payloadBytes: 0,
  }),
  fanOutRow('fan-out-qos1', '100 PUBLISHes of QoS 1 to 4000 receivers', { receivers: 4000, qos: 1 }),
  fanOutRow('fan-out-stored', '100 PUBLISHes of QoS 1 to 4000 receivers with stored sessions', {
    receivers: 4000,
    qos: 1,
    cleanStart: false,
  }),
]
