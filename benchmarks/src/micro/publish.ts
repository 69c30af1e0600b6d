import {
  FrameReader,
  type OutgoingPublish,
  PublishFrame,
  type PublishPacket,
  TopicInterner,
  encode,
  encodePublishProperties,
  publishSize,
  writePublish,
} from '@x/packet'
import { type IPublishPacket, generate, parser, writeToStream } from 'mqtt-packet'
import { Writable } from 'node:stream'
import { type ProtocolVersion, publishFrame, repeated } from '@x/load'
import type { Comparison, Sink } from './time.ts'

const topic = 'bench/topic'
const payload = Buffer.alloc(64, 'x')
const userProperties = [0, 1, 2].map(index => [`property-${index}`, `value of property ${index}`] as const)
/** As many frames as fit into what a socket reads at once. */
const chunkBytes = 65_536
const encodesPerCall = 1000
const maximumPacketSize = 1 << 20

interface Case {
  readonly version: ProtocolVersion
  readonly withProperties: boolean
  readonly name: string
}

const cases: readonly Case[] = [
  { version: 4, withProperties: false, name: 'v4' },
  { version: 5, withProperties: true, name: 'v5, 3 user properties' },
]

/** @x/packet beside mqtt-packet: PUBLISH with 64 B of payload, decoded and encoded. */
export function publishComparisons(sink: Sink): Comparison[] {
  return cases.flatMap(one => decodeComparisons(one, sink).concat(encodeComparisons(one, sink)))
}

function decodeComparisons({ version, withProperties, name }: Case, sink: Sink): Comparison[] {
  const frame = publishFrame({ version, topic, payload, qos: 0, ...(withProperties ? { userProperties } : {}) })
  const count = Math.floor(chunkBytes / frame.length)
  const chunk = repeated(frame, count)
  const theirs = parser({ protocolVersion: version })
  theirs.on('packet', packet => sink.add(packet.cmd === 'publish' ? packet.payload.length : 0))
  const other = (): number => {
    theirs.parse(chunk)
    return count
  }
  const walk = (use: (publish: PublishFrame, text: string) => void): (() => number) => {
    const reader = new FrameReader({ maximumPacketSize })
    const publish = new PublishFrame()
    const interner = new TopicInterner()
    return () => {
      reader.push(chunk)
      while (reader.next()) {
        const { source, header, frameStart, bodyStart, frameEnd } = reader
        publish.read(source, header, frameStart, bodyStart, frameEnd, version, 'client')
        use(publish, interner.intern(source, publish.topicStart, publish.topicEnd))
      }
      return count
    }
  }
  const inPlace = walk((publish, text) => sink.add(publish.frameEnd - publish.payloadStart + text.length))
  const toObject = walk((publish, text) => sink.add(publish.toPacket(text).payload.length))
  return [
    { about: `decode PUBLISH in place, ${name} / mqtt-packet parse`, ours: inPlace, other },
    { about: `decode PUBLISH to an object, ${name} / mqtt-packet parse`, ours: toObject, other },
  ]
}

function repeat(once: () => void): () => number {
  return () => {
    for (let index = 0; index < encodesPerCall; index++) once()
    return encodesPerCall
  }
}

function encodeComparisons({ version, withProperties, name }: Case, sink: Sink): Comparison[] {
  const properties = withProperties ? { userProperties: Object.fromEntries(userProperties) } : undefined
  const common = { cmd: 'publish', topic, payload, qos: 0, retain: false, dup: false } as const
  const packet = { ...common, ...(properties === undefined ? {} : { properties }) } satisfies PublishPacket
  const theirPacket: IPublishPacket = packet
  const outgoing: OutgoingPublish = {
    ...common,
    messageId: 0,
    properties: properties === undefined ? undefined : encodePublishProperties(properties),
    messageExpiryInterval: undefined,
    subscriptionIdentifiers: undefined,
    topicAlias: undefined,
  }
  const target = Buffer.alloc(chunkBytes)
  const discard = new Writable({
    write(chunk: Buffer, _encoding, done) {
      sink.add(chunk.length)
      done()
    },
  })
  return [
    {
      about: `encode PUBLISH into a buffer, ${name} / mqtt-packet writeToStream`,
      ours: repeat(() => sink.add(publishSize(outgoing, version) + writePublish(target, 0, outgoing, version))),
      other: repeat(() => writeToStream(theirPacket, discard, { protocolVersion: version })),
    },
    {
      about: `encode PUBLISH from an object, ${name} / mqtt-packet generate`,
      ours: repeat(() => sink.add(encode(packet, version).length)),
      other: repeat(() => sink.add(generate(theirPacket, { protocolVersion: version }).length)),
    },
  ]
}
